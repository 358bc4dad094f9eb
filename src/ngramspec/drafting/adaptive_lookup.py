"""Lookup in the row's own text and in its segment's history, by what has proved right."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from ngramspec.drafting.chain import Chain
from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.references import checked_references
from ngramspec.drafting.salting import salted
from ngramspec.drafting.saving import load, save
from ngramspec.drafting.segments import Segment, Segments
from ngramspec.drafting.sketch import sketch
from ngramspec.drafting.sources import Source
from ngramspec.drafting.spelling import SpelledIndex, checked_vocabulary
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import Survival, recent_place
from ngramspec.drafting.types import NO_DRAFT, Draft, Steering, TokenArray
from ngramspec.drafting.whole_file import MAX_BYTES

MAX_TOKENS = 1 << 21
"""All histories together hold at most so many tokens, unless told otherwise."""

MAX_SEGMENTS = 1024
"""So many segments are known at a time, unless told otherwise."""


class AdaptiveLookup:
    """Drafts token by token what the surest of several matches says.

    Looked up are the row's own text (references, prompt, output) and, where a segment is named, what earlier rows of
    that segment answered; and copies in progress go on behind tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each is, alone and beside the others, is learnt (`survival.py`).

    The idea of a history is suffix decoding's (Oliaro et al. 2024), that of going on behind a mismatch lpaq's match
    model's (Mahoney 2007).

    A segment's history is bounded together with all others', never read by another one, and none is kept until a
    segment is named. It outlives a restart where it is saved.
    """

    def __init__(
        self,
        survival: Survival | None = None,
        *,
        vocabulary: Sequence[bytes] | None = None,
        max_tokens: int = MAX_TOKENS,
        max_segments: int = MAX_SEGMENTS,
    ) -> None:
        """Begin without a history.

        survival: what is known of matches, by default what recorded traffic has taught.
        vocabulary: the bytes of each token, such as `Vocabulary.of(tokenizer).tokens`. With it a row also copies from
            where its own text is spelled as its end is, though it is cut into other tokens; some 8 µs per token.
        max_tokens: of all histories together; beyond that the least recently used ones let go of older answers. A
            token takes about 170 bytes (some 420 at the worst), of which 50 are left after a restart.
        max_segments: names that are known at a time; beyond that the least recently used one is forgotten.
        Raises ValueError where one of these two is no whole number >= 1, TypeError where `vocabulary` is not of bytes.
        """
        self.survival = Survival() if survival is None else survival
        self._vocabulary = None if vocabulary is None else checked_vocabulary(vocabulary)
        self._limits = max_tokens, max_segments
        self._segments = Segments(self.survival, max_tokens, max_segments)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along: settings, and what was learnt of all traffic; no segment, and no text."""
        return {"lessons": self.survival.lessons(), "vocabulary": self._vocabulary, "limits": self._limits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin as a new one that has learnt the same."""
        max_tokens, max_segments = state["limits"]
        self.__init__(vocabulary=state["vocabulary"], max_tokens=max_tokens, max_segments=max_segments)  # type: ignore[misc]
        self.survival.take_over(state["lessons"])

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdaptiveLookupSession":
        """Start a row of traffic of the kind `segment`; without one nothing is read from a history or kept in it.

        references: texts `int32[n]` that this row may copy from.
        """
        kept = self._segments.open(segment)
        return AdaptiveLookupSession(self.survival, self._segments, kept, references, self._vocabulary)

    def refer(self, segment: str, references: Sequence[TokenArray], *, cache_salt: str | None = None) -> None:
        """Let all rows of `segment` copy from `references`: a style guide, a code base, a template.

        references: token ids, each `int32[n]`. They take the place of earlier ones; the same ones again cost nothing,
        none drop them. Rows in progress keep what they began with. They are never let go of, and saved.
        cache_salt: of the tenant whose rows these are; another one's do not copy from them.

        Raises HistoryError where the references of all segments would take more than half of `max_tokens`, or all
        of `max_segments`; TypeError for what is no list of texts of token ids. What was there before then stays.
        """
        self._segments.refer(_key(segment, cache_salt), checked_references(references))

    def forget(self, segment: str, *, cache_salt: str | None = None) -> None:
        """Drop all that is kept of `segment`: answers, references, weights; nothing happens where nothing is kept.

        cache_salt: of the tenant whose segment it is.

        Rows that are in progress still copy from it; what they write is not kept either. Files saved before still
        hold it: save again.
        """
        self._segments.forget(_key(segment, cache_salt))

    @property
    def segments(self) -> dict[str, int]:
        """How many tokens are kept of each segment, references and answers, the least recently used one first.

        A tenant's is known by a digest of its salt.
        """
        return self._segments.num_tokens()

    def save(self, path: str | PathLike[str], fingerprint: str) -> None:
        """Put histories, references and what was learnt into a file, readable to its owner alone.

        fingerprint: tells the tokenizer whose ids these are from all others. A process that is killed meanwhile
        leaves the earlier file as it was. The file holds what the segments wrote, as token ids.

        Raises OSError where the file cannot be written, and for what is never replaced: devices, pipes, folders, links
        of others or to files of others. It says which file is in place, as a rule the earlier one.
        """
        save(Path(path), fingerprint, self.survival, self._segments)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        fingerprint: str,
        *,
        vocabulary: Sequence[bytes] | None = None,
        max_tokens: int = MAX_TOKENS,
        max_segments: int = MAX_SEGMENTS,
        max_bytes: int = MAX_BYTES,
    ) -> Self:
        """A drafter that goes on where the one that was saved had come to.

        vocabulary, max_tokens, max_segments: as for a new one; what is too much is let go of. Weights that an ngramspec
        with other features has learnt are learnt anew. max_bytes: a larger file is refused before it is read.

        Whoever can write the file decides what is drafted, and so how fast a text comes; never which text.

        Raises HistoryError for a file of another tokenizer (its fingerprint differs) or version, a damaged, truncated
        or forged one, for what is no regular file, and for references that are too many; OSError where the file cannot
        be read.
        """
        drafter = cls(vocabulary=vocabulary, max_tokens=max_tokens, max_segments=max_segments)
        load(Path(path), fingerprint, drafter.survival, drafter._segments, max_bytes)
        return drafter


def _key(segment: str, cache_salt: str | None) -> str:
    key = salted(segment, cache_salt)
    assert key is not None
    return key


class AdaptiveLookupSession:
    """One row: its text, its place in the history, and the choices of its last draft."""

    def __init__(
        self,
        survival: Survival,
        segments: Segments,
        segment: Segment,
        references: Sequence[TokenArray],
        vocabulary: Sequence[bytes] | None,
    ) -> None:
        """Start with the references `int32[n]`, read before the prompt."""
        self.index = SuffixIndex()
        for reference in references:
            self.index.extend(reference)
        self._survival = survival
        self._segments, self._segment = segments, segment
        self._own = Source(self.index)
        self._past = Source(segment.history.index)
        spelled = None if vocabulary is None else SpelledIndex(self.index, vocabulary)
        self._chain = Chain(self._own, self._past, survival, segment.weights, spelled)
        self._grams: list[int] | None = None  # the sketch of the prompt, once that was read
        self._answer = [SEPARATOR]
        self._recent = 0.5
        self._recent_place = 0

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`; the first call brings the prompt."""
        if self._grams is None:
            self._begin(tokens)
            return
        committed = tokens.tolist()
        self._learn(committed)
        size = len(self.index)
        self.index.extend(tokens)
        self._own.follow(committed, size)
        self._past.follow(committed, len(self._past.index))
        self._answer += committed

    def _begin(self, prompt: TokenArray) -> None:
        self.index.extend(prompt)
        self._grams = []
        if self._segment.name is not None:
            self._grams = sketch(prompt)
            self._past.copy.start = self._segments.similar(self._segment, self._past.index, self._grams)

    def _learn(self, committed: list[int]) -> None:
        num_right = 0
        for drafted, token in zip(self._chain.choices, committed, strict=False):
            if drafted != token:
                self._recent -= 0.1 * self._recent
                break
            self._recent += 0.1 * (1 - self._recent)
            num_right += 1
        self._survival.learn(self._chain.lessons, committed[: num_right + 1], self._recent_place, self._segment.weights)
        self._chain.forget()

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens, as long as they survive with a probability of `min_survival`."""
        self._recent_place = recent_place(self._recent)
        if max_tokens > 0:
            self._chain.draft(self._answer, self._recent_place, max_tokens, min_survival)
        return self._drafted(max_tokens)

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose`, in conversation with a grammar: at each position the surest that it allows."""
        self._recent_place = recent_place(self._recent)
        if max_tokens > 0:
            self._chain.steer(self._answer, self._recent_place, max_tokens, min_survival, steering)
        return self._drafted(max_tokens)

    def _drafted(self, max_tokens: int) -> Draft:
        chain = self._chain
        if max_tokens <= 0:
            chain.forget()
            return Draft(NO_DRAFT)
        survivals = np.array(chain.survivals)
        tokens = np.array(chain.choices[: survivals.size], np.int32)
        is_unsure = survivals.size < min(len(chain.choices), max_tokens)
        return Draft(tokens, chain.match_length, survivals, is_unsure)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing here: the committed tokens say more."""

    def close(self) -> None:
        """The row is over: keep its answer in the history."""
        if self._grams is not None:
            self._segments.keep(self._segment, self._grams, np.array(self._answer[1:], np.int32))
