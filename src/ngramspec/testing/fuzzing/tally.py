"""Counts what was tried: the cases, and in how many of them each relevant event happened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ngramspec.guards import Guard
from ngramspec.guards.types import is_set, num_words
from ngramspec.testing.adversary import VerifiedDraft
from ngramspec.testing.fuzzing.scene import Scene, borders

SHARES = (
    "partial acceptance",
    "illegal token in mid-draft",
    "end of sequence in mid-draft",
    "marker inside a token",
)
"""Events that must happen in some of the cases, or the fuzz proves little."""


@dataclass(slots=True)
class Tally:
    """What was tried. cases: outputs made with drafts. seen: number of cases by event.

    known: known differences of backends, by name.
    """

    cases: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    texts: int = 0

    def add(self, other: "Tally") -> None:
        """Add up."""
        self.cases += other.cases
        self.texts += other.texts
        for mine, its in ((self.seen, other.seen), (self.known, other.known), (self.refused, other.refused)):
            mine.update(its)


def seen_in(
    scene: Scene, guards: Sequence[Guard | None], rows: Sequence[list[int]], verified: Sequence[VerifiedDraft]
) -> set[str]:
    """What happened in a case; rows: the emitted tokens. The drafts are those that reached the masks."""
    vocabulary = scene.vocabulary
    ends, seen = vocabulary.eos_tokens, set()
    for draft in verified:
        if draft.num_accepted:
            seen.add("something accepted")
        if 0 < draft.num_accepted < len(draft.tokens):
            seen.add("partial acceptance")
        if any(token in ends for token in draft.tokens[1:-1]):
            seen.add("end of sequence in mid-draft")
        if _is_illegal(guards[draft.row], rows[draft.row], draft, ends):
            seen.add("illegal token in mid-draft")
    for row in rows:
        if row and row[-1] in ends:
            seen.add("a row that ended")
        if scene.markers and any(borders(scene.markers, [vocabulary.tokens[token] for token in row])):
            seen.add("marker inside a token")
    return seen


def _is_illegal(guard: Guard | None, emitted: Sequence[int], draft: VerifiedDraft, ends: Sequence[int]) -> bool:
    """Whether the first wrong token of a draft, after at least one right one, is one that the guard forbids."""
    agreeing = 0
    while agreeing < len(draft.tokens) and [draft.tokens[agreeing]] == emitted[draft.position + agreeing :][:1]:
        agreeing += 1
    if guard is None or not 0 < agreeing < len(draft.tokens) or draft.position + agreeing > len(emitted):
        return False
    matcher, bits = guard.matcher(ends), np.zeros((1, num_words(len(guard.vocabulary))), np.int32)
    matcher.advance(emitted[: draft.position + agreeing])
    matcher.fill((), bits)
    return not is_set(bits[0], draft.tokens[agreeing])
