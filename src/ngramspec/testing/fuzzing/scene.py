"""A scene: all that one constrained call depends on, as data that can be shrunk, printed and run again."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from ngramspec.guards import Guard, Matcher, Vocabulary
from ngramspec.guards.source import Backend
from ngramspec.guards.types import num_words, unpacked
from ngramspec.replay import load_tokenizer
from ngramspec.testing.adversary import Slip
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Writer:
    """A row: the text of its script, the seed of its tokenisation, and whether it is guarded."""

    text: str
    spelling: int = 0
    is_guarded: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """One call of `generate()` that is made without drafts, and once with each drafter.

    tokens: the vocabulary, or the name of a tokenizer. markers: none, that of `after`, or those of `between`.
    drafters: the slips of each. seed: of the model and of sampling. lapses: share of tokens that deviate from the
    script. is_steered: whether drafts are cut where the guard would refuse them. is_aligned: whether all rows must
    begin a pass at one slot (aligned).
    """

    constraint: Constraint
    tokens: Tokens | str
    rows: tuple[Writer, ...]
    drafters: tuple[tuple[Slip, ...], ...] = ((),)
    backend: Backend = "llguidance"
    markers: tuple[str, ...] = ()
    is_sampled: bool = False
    seed: int = 0
    lapses: float = 0.0
    max_new_tokens: int = 32
    max_draft_tokens: int = 6
    is_steered: bool = False
    is_aligned: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        return vocabulary_of(self.tokens)

    def guard(self) -> Guard:
        """The guard of the guarded rows. Raises GuardError if it cannot be made."""
        guard = self.constraint.guard(self.vocabulary, backend=self.backend)
        if len(self.markers) == 2:
            return guard.between(*self.markers)
        return guard.after(*self.markers) if self.markers else guard

    def inner(self, text: bytes) -> list[bytes] | None:
        """The parts of the complete `text` that must fit the constraint; None if its marker has not come.

        Between markers they are known only if there is a single guarded part, because inner text may contain markers.
        """
        if not self.markers:
            return [text]
        start, *ends = [marker.encode() for marker in self.markers]
        _, found, rest = text.partition(start)
        if not ends:
            return [rest] if found else None
        inner, found, after = rest.partition(ends[0])
        return [inner] if found and start not in after and ends[0] not in after else []


@functools.lru_cache(maxsize=16)
def vocabulary_of(tokens: Tokens | str) -> Vocabulary:
    """The vocabulary of `tokens`, or of the tokenizer of that name."""
    if isinstance(tokens, Tokens):
        return tokens.vocabulary()
    return load_tokenizer(tokens).vocabulary


def wrapped(text: str, markers: Sequence[str]) -> str:
    """`text` as a row with `markers` may write it."""
    if not markers:
        return text
    return f"go {markers[0]}{text}" if len(markers) == 1 else f"go {markers[0]}{text}{markers[1]} on"


def spell(matcher: Matcher, text: str, rng: Random) -> list[int]:
    """A random tokenisation of `text` that the guard allows, as far as there is one."""
    vocabulary, rest = matcher.vocabulary, text.encode()
    found: list[int] = []
    ids = vocabulary.once("fuzzing", lambda: _ids(vocabulary))
    longest = max(map(len, ids), default=0)
    bits = np.zeros((1, num_words(len(vocabulary))), np.int32)
    while rest:
        matcher.fill((), bits)
        allowed = unpacked(bits[0])
        heads = [rest[:length] for length in range(1, min(longest, len(rest)) + 1)]
        fitting = [token for head in heads for token in ids.get(head, ()) if allowed[token]]
        if not fitting:
            return found
        token = fitting[-1] if rng.random() < 0.5 else rng.choice(fitting)  # long ones span more boundaries
        matcher.advance([token])
        found.append(token)
        rest = rest[len(vocabulary.tokens[token]) :]
    return found


def _ids(vocabulary: Vocabulary) -> dict[bytes, list[int]]:
    ids: dict[bytes, list[int]] = {}
    for token, text in enumerate(vocabulary.tokens):
        if text and token not in vocabulary.eos_tokens:
            ids.setdefault(text, []).append(token)
    return ids


def borders(markers: Sequence[str], texts: Sequence[bytes]) -> Iterator[bool]:
    """For each of `texts`, the tokens of a row, whether a marker begins or ends inside it."""
    whole, boundaries = b"".join(texts), set()
    for marker in {marker.encode() for marker in markers}:
        start = whole.find(marker)
        while start >= 0:
            boundaries |= {start, start + len(marker)}
            start = whole.find(marker, start + 1)
    position = 0
    for text in texts:
        yield any(position < boundary < position + len(text) for boundary in boundaries)
        position += len(text)
