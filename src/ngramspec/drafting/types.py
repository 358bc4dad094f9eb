"""The types that all drafters share: token arrays, drafts, and the protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

TokenArray = npt.NDArray[np.int32]
"""Token ids, `int32[n]`; never padded."""

FloatArray = npt.NDArray[np.float64]
"""Probabilities, `float64[n]`."""

NO_DRAFT: TokenArray = np.empty(0, np.int32)
"""The empty draft: a normal answer, and never None."""
NO_DRAFT.flags.writeable = False
NO_SURVIVAL: FloatArray = np.empty(0)
"""Default for a survival that is not given; `Draft` replaces it by ones."""


@dataclass(slots=True, init=False)  # made for each row and pass; a frozen one takes three times as long
class Draft:
    """Tokens that might come next; immutable by convention.

    tokens: `int32[K]`, at most as many as were requested; empty is a normal draft.
    survival: `float64[K]`, for each token the probability that it is accepted together with all before it: in [0, 1],
        never rising. A drafter that does not estimate it returns ones, and all its tokens are verified.
    is_unsure: more tokens would have been drafted at a lower `min_survival`.
    """

    tokens: TokenArray
    survival: FloatArray
    is_unsure: bool

    def __init__(self, tokens: TokenArray, survival: FloatArray = NO_SURVIVAL, is_unsure: bool = False) -> None:
        """Survival is ones if it is not given."""
        self.tokens = tokens
        self.survival = survival if survival.size == tokens.size else np.ones(tokens.size)
        self.is_unsure = is_unsure

    def head(self, length: int) -> "Draft":
        """The first `length` tokens."""
        if length >= self.tokens.size:
            return self
        return Draft(self.tokens[:length], self.survival[:length], self.is_unsure)


ROOT = -1
"""In `Tree.parents`: the end of the row's text."""


@dataclass(slots=True, init=False)
class Tree(Draft):
    """A draft that branches: several tokens may be drafted for one position. Immutable by convention.

    Verification walks from the end of the text to the child that the target chose, and so on while there is one. So a
    token's survival, the probability that the walk reaches it, is the product of the chances along its path, and the
    expected number of accepted tokens is the sum of all survivals: a node pays for its column by the same rule as a
    token of a chain. Token trees are from SpecInfer (Miao et al. 2024).

    tokens: `int32[K]`, the surest first: each head of a tree is a tree, and the best one of its size.
    survival: `float64[K]`, in [0, 1], never rising; those of a node's children add up to at most its own.
    parents: `int32[K]`, for each token the node that it follows, an earlier one, or ROOT. A chain has -1, 0, 1, …
    """

    parents: TokenArray

    def __init__(
        self, tokens: TokenArray, survival: FloatArray, is_unsure: bool = False, *, parents: TokenArray
    ) -> None:
        """All arrays have the same length."""
        self.tokens, self.survival, self.parents = tokens, survival, parents
        self.is_unsure = is_unsure

    def head(self, length: int) -> "Tree":
        """The tree of its first `length` nodes."""
        if length >= self.tokens.size:
            return self
        return Tree(self.tokens[:length], self.survival[:length], self.is_unsure, parents=self.parents[:length])

    def pruned(self, nodes: Sequence[int]) -> "Tree":
        """The tree of `nodes`, in order; the ancestors of each node must be among them."""
        numbers = {ROOT: ROOT} | {node: number for number, node in enumerate(nodes)}
        parents = np.array([numbers[self.parents.item(node)] for node in nodes], np.int32)
        kept = np.array(nodes, np.intp)
        return Tree(self.tokens[kept], self.survival[kept], self.is_unsure, parents=parents)

    def children(self) -> dict[tuple[int, int], int]:
        """The child of each node (or ROOT) for a token, by (node, token)."""
        edges = zip(self.parents.tolist(), self.tokens.tolist(), strict=True)
        return {edge: node for node, edge in enumerate(edges)}

    def num_accepted(self, chosen: Sequence[int]) -> int:
        """Length of the head of the tokens `chosen` that is a path from the root."""
        children, node = self.children(), ROOT
        for number, token in enumerate(chosen):
            if (node, token) not in children:
                return number
            node = children[node, token]
        return len(chosen)


@dataclass(frozen=True, slots=True)
class Likely:
    """The target's likeliest tokens at n positions where it chose, before processors, guards or temperature.

    tokens: `int64[n, k]`, the likeliest first. chances: `float64[n, k]`, their probabilities.
    """

    tokens: npt.NDArray[np.int64]
    chances: FloatArray

    def part(self, start: int, end: int) -> "Likely":
        """The part for the positions from `start` up to `end`."""
        return Likely(self.tokens[start:end], self.chances[start:end])


class DraftSession(Protocol):
    """The drafting of one row: it follows the row's text and proposes what comes next."""

    def extend(self, tokens: TokenArray) -> None:
        """Append committed tokens `int32[n]` to the text (the prompt first), never a draft."""

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Propose up to `max_tokens` tokens to follow the text so far; the text does not change.

        min_survival: tokens of lower survival are not worth drafting; a drafter that estimates survival stops there.
        """

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn that the target accepted the first `num_accepted` tokens of `draft`; called before `extend`."""

    def close(self) -> None:
        """The row has ended; nothing is called after this."""


class HeedingSession(DraftSession, Protocol):
    """A session that drafts from the target's likeliest tokens, besides the tokens that it chose."""

    def heed(self, likely: Likely) -> None:
        """Note the likeliest tokens at the positions of the next `extend`; not called if they are unknown."""


class Steering(Protocol):
    """What a row's grammar says while a draft is made, position by position."""

    def foreseen(self) -> tuple[int, int] | None:
        """The token foreseen after the pushed ones, and its evidence code from 0 to 63; None if there is none."""

    def forced(self) -> tuple[int, int] | None:
        """The token that must come next, in the form of `foreseen`; None if there is a choice."""

    def push(self, token: int) -> bool:
        """Advance by `token` if the grammar allows it; returns whether it does."""


class SteerableSession(DraftSession, Protocol):
    """A session that can draft within a grammar."""

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose`; `steering.push` has accepted each token of the draft, and perhaps one more."""


class TreeSession(DraftSession, Protocol):
    """A session that can draft trees."""

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """As `propose`, for a target that takes trees: a `Tree` of up to `max_nodes` nodes, or a chain."""


class SteerableTreeSession(SteerableSession, Protocol):
    """A session that can draft trees around what it drafts within a grammar."""

    def steer_tree(self, max_nodes: int, min_survival: float, steering: Steering) -> Draft:
        """As `steer`, for a target that takes trees: a `Tree` of up to `max_nodes` nodes, or a chain.

        `steering.push` has accepted the tokens of one path, of which the tree has a head; other nodes are not pushed.
        """


class Drafter(Protocol):
    """Opens a session per row. It is shared by all calls and threads, and has the state that outlives a row."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        """Start a row of the segment named `segment`; None: the row is not kept.

        In a call with a `cache_salt`, the segment is a key made of both (`salting.py`). So a drafter that separates
        histories by segment also separates tenants.

        references: texts `int32[n]` outside the row that it may copy from, such as an encoder's input.
        """


class BatchDrafter(Drafter, Protocol):
    """A drafter that proposes for many of its rows at once: one call of compiled code, one pass of a small model.

    Each session that it opens refers to it in an attribute `drafter`.
    """

    def propose_all(
        self, sessions: Sequence[Any], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> Sequence[Draft]:
        """One draft for each of `sessions`, in order, as by its `propose`; max_tokens: per session.

        A drafter whose sessions have `propose_tree` may also have `propose_trees`, the same for trees.
        """


def propose_all(sessions: Sequence[DraftSession], max_tokens: Sequence[int], min_survival: float = 0.0) -> list[Draft]:
    """One draft for each of `sessions`, in order, as by its `propose`; max_tokens: per session.

    Sessions of the same `BatchDrafter` are proposed for together, all others one by one. So rows of several drafters
    can decode together, and `open` is the only method that a drafter needs.

    Raises ValueError if a `BatchDrafter` does not return a draft for each session.
    """
    return _together("propose_all", _propose, sessions, max_tokens, min_survival)


def propose_trees(sessions: Sequence[DraftSession], max_nodes: Sequence[int], min_survival: float = 0.0) -> list[Draft]:
    """As `propose_all`, for a target that takes trees: a `Tree` or a chain for each of `sessions`, in order.

    Sessions of the same drafter are proposed for together if it has `propose_trees`, all others one by one.
    """
    return _together("propose_trees", propose_tree, sessions, max_nodes, min_survival)


def propose_tree(session: DraftSession, max_nodes: int, min_survival: float = 0.0) -> Draft:
    """A draft for a target that takes trees; a session that cannot draft trees proposes a chain."""
    propose = getattr(session, "propose_tree", session.propose)
    draft: Draft = propose(max_nodes, min_survival)
    return draft


def _propose(session: DraftSession, max_tokens: int, min_survival: float) -> Draft:
    return session.propose(max_tokens, min_survival)


def _together(
    name: str,
    propose: Callable[[DraftSession, int, float], Draft],
    sessions: Sequence[DraftSession],
    most: Sequence[int],
    min_survival: float,
) -> list[Draft]:
    """Drafts by the method `name` of the sessions' drafters; `propose`: for sessions whose drafter lacks it."""
    drafters = [getattr(session, "drafter", None) for session in sessions]
    together: dict[int, list[int]] = {}
    for row, drafter in enumerate(drafters):
        together.setdefault(id(drafter), []).append(row)
    drafts: dict[int, Draft] = {}
    for rows in together.values():
        of_all = getattr(drafters[rows[0]], name, None)
        if of_all is None:
            drafts.update((row, propose(sessions[row], most[row], min_survival)) for row in rows)
        else:
            some = [sessions[row] for row in rows]
            found = _checked(name, of_all(some, [most[row] for row in rows], min_survival), len(rows), of_all.__self__)
            drafts.update(zip(rows, found, strict=True))
    return [drafts[row] for row in range(len(sessions))]


def _checked(name: str, drafts: Sequence[Draft], count: int, drafter: object) -> Sequence[Draft]:
    if len(drafts) != count:
        raise ValueError(
            f"{name} must return a draft for each of {count} sessions, got {len(drafts)} from"
            f" {type(drafter).__name__}: return an empty draft for a session with nothing to propose"
        )
    return drafts
