"""A drafter that knows the answer and makes the most harmful mistakes; each slip is data, so that it can be shrunk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from ngramspec.decoding.row import common_length
from ngramspec.drafting import ROOT, Draft, TokenArray, Tree
from ngramspec.guards import Guard
from ngramspec.guards.types import num_words, unpacked
from ngramspec.testing.drafters import OracleDrafter, OracleSession, merged

SlipKind = Literal["right", "illegal", "end", "special", "skipped", "doubled", "random", "nothing"]
"""How a draft goes wrong. illegal, end, special: a token that the guard forbids, an end of sequence or a special token
is inserted between two right ones. skipped, doubled: a right token is. random: from a position on, any tokens."""

SLIP_KINDS: tuple[SlipKind, ...] = get_args(SlipKind)


@dataclass(frozen=True, slots=True)
class Slip:
    """The mistake in one draft. position: of the first wrong token, from 0. number: which of several wrong tokens."""

    kind: SlipKind = "right"
    position: int = 0
    number: int = 0


ALL_SLIPS = tuple(Slip(kind, position, number) for position in (1, 3, 0) for number, kind in enumerate(SLIP_KINDS[1:]))
"""Every wrong kind, at the start of a draft and later."""


class VerifiedDraft(NamedTuple):
    """A verified draft: its row, the number of tokens emitted before it, and how much of it was accepted."""

    row: int
    position: int
    tokens: list[int]
    num_accepted: int


class AdversarialDrafter(OracleDrafter):
    """Drafts what each row will emit, with one slip per draft, in rotation.

    verified: the drafts as they reached the masks.
    """

    def __init__(
        self,
        emitted: Sequence[Sequence[int]],
        vocabulary: int,
        slips: Sequence[Slip] = ALL_SLIPS,
        *,
        illegal: Sequence[Sequence[int]] = (),
        ends: Sequence[int] = (),
        special: Sequence[int] = (),
    ) -> None:
        """emitted, vocabulary: as for `OracleDrafter`. illegal: for each row and position, a token forbidden there.

        ends, special: the ids that end a row, and those that are not text. If there are none, any token is used.
        """
        super().__init__(emitted, vocabulary, corrupted=0.0)
        self.slips = tuple(slips) or (Slip(),)
        self.illegal = illegal
        self.ends = tuple(ends)
        self.special = tuple(special)
        self.verified: list[VerifiedDraft] = []

    @classmethod
    def against(
        cls,
        guards: Sequence[Guard | None],
        emitted: Sequence[Sequence[int]],
        vocabulary: int,
        slips: Sequence[Slip] = ALL_SLIPS,
        *,
        eos_tokens: Iterable[int],
    ) -> "AdversarialDrafter":
        """A drafter whose illegal tokens are those that the rows' guards forbid along the emitted texts."""
        ends = tuple(eos_tokens)
        rows = zip(guards, emitted, strict=True)
        illegal = [[] if guard is None else _forbidden(guard, tokens, ends) for guard, tokens in rows]
        special = sorted({t for guard in guards if guard is not None for t in guard.vocabulary.special} - set(ends))
        return cls(emitted, vocabulary, slips, illegal=illegal, ends=ends, special=special)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdversarialSession":
        """Start the next row; the segment makes no difference."""
        row = self._opened % len(self.emitted)
        self._opened += 1
        return AdversarialSession(self, row)


class AdversarialSession(OracleSession):
    """One row."""

    def __init__(self, drafter: AdversarialDrafter, row: int) -> None:
        super().__init__(drafter, drafter.emitted[row], np.random.default_rng(row))
        self._adversary = drafter
        self._row = row
        self._num_drafts = row  # rows of a batch slip differently

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft what comes next, corrupted by the next slip."""
        slips = self._adversary.slips
        slip = slips[self._num_drafts % len(slips)]
        self._num_drafts += 1
        known = self._emitted[self._position : self._position + max_tokens + 1]
        head, tail = known[: slip.position], known[slip.position :]
        if slip.kind == "nothing":
            head, tail = [], []
        elif slip.kind == "random":
            tail = self._rng.integers(0, self._adversary.vocabulary, max(max_tokens - len(head), 0)).tolist()
        elif slip.kind == "skipped":
            tail = tail[1:]
        elif slip.kind == "doubled":
            tail = tail[:1] + tail
        elif slip.kind != "right":
            tail = [self._inserted(slip), *tail]
        return Draft(np.array([*head, *tail][:max_tokens], np.int32))

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """Drafts with the next two slips as one tree; every third draft is a chain."""
        if self._num_drafts % 3 == 0:
            return self.propose(max_nodes)
        return merged([self.propose(-(-max_nodes // 2)).tokens.tolist() for _ in range(2)], max_nodes)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Record the draft, a tree path by path, and how much of it was accepted."""
        accepted = self._emitted[self._position : self._position + num_accepted]
        for path in _paths(draft):
            self._adversary.verified.append(
                VerifiedDraft(self._row, self._position, path, common_length(path, accepted))
            )
        super().observe(draft, num_accepted)

    def close(self) -> None:
        """Keep nothing."""

    def _inserted(self, slip: Slip) -> int:
        adversary, position = self._adversary, self._position + slip.position
        illegal = adversary.illegal[self._row] if self._row < len(adversary.illegal) else ()
        if slip.kind == "illegal" and position < len(illegal):
            return illegal[position]
        ids = {"end": adversary.ends, "special": adversary.special}.get(slip.kind, ())
        return ids[slip.number % len(ids)] if ids else slip.number % adversary.vocabulary


def _paths(draft: Draft) -> list[list[int]]:
    """The tokens of a chain, or those from the root to each leaf of a tree."""
    tokens = draft.tokens.tolist()
    if not isinstance(draft, Tree):
        return [tokens] if tokens else []
    parents, paths = draft.parents.tolist(), list[list[int]]()
    for node, token in enumerate(tokens):
        paths.append([*(() if parents[node] == ROOT else paths[parents[node]]), token])
    return [path for node, path in enumerate(paths) if node not in parents]


def _forbidden(guard: Guard, tokens: Sequence[int], ends: tuple[int, ...]) -> list[int]:
    """For each position along `tokens`, a token that is not allowed there; it varies with the position."""
    size = len(guard.vocabulary)
    bits = np.zeros((len(tokens) + 1, num_words(size)), np.int32)
    num_legal = guard.matcher(ends).fill(tokens, bits)
    found = []
    for position, allowed in enumerate(unpacked(bits[: num_legal + 1])[:, :size]):
        forbidden = np.flatnonzero(~allowed)
        if not forbidden.size:
            break
        found.append(int(forbidden[position * 31 % forbidden.size]))
    return found
