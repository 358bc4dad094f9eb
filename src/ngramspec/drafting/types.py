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
"""Stands for a survival that is not given; `Draft` takes ones for it."""


@dataclass(slots=True, init=False)  # one is made for each row and pass, and frozen ones take three times as long
class Draft:
    """Tokens that might come next; not to be changed once it is made.

    tokens: `int32[K]`, at most as many as were requested; empty is a normal draft.
    survival: `float64[K]`, for each token the probability that it is accepted together with all before it: in [0, 1],
        never rising. A drafter that does not estimate it returns ones, and all its tokens are checked.
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
    """A draft that branches: several tokens may be drafted for one position. Not to be changed once it is made.

    The walk begins at the end of the text, goes on to the child that the target chose, and ends where there is none. So
    a token's survival, its probability to be walked over, is the product of the chances along its path, and the tokens
    accepted in a pass are expected to be as many as all survivals together: a node pays for its column by the rule by
    which a token of a chain does. Trees of nodes are those of SpecInfer (Miao et al. 2024).

    tokens: `int32[K]`, the surest first: each head of a tree is a tree, and the best one of its size.
    survival: `float64[K]`, in [0, 1], never rising; those of one parent's children add up to its own at most.
    parents: `int32[K]`, for each token the node that it follows, an earlier one, or ROOT. A chain's are -1, 0, 1, …
    """

    parents: TokenArray

    def __init__(
        self, tokens: TokenArray, survival: FloatArray, is_unsure: bool = False, *, parents: TokenArray
    ) -> None:
        """All of the same length."""
        self.tokens, self.survival, self.parents = tokens, survival, parents
        self.is_unsure = is_unsure

    def head(self, length: int) -> "Tree":
        """The tree of its first `length` nodes."""
        if length >= self.tokens.size:
            return self
        return Tree(self.tokens[:length], self.survival[:length], self.is_unsure, parents=self.parents[:length])

    def pruned(self, nodes: Sequence[int]) -> "Tree":
        """The tree of `nodes`, in order; with each node there must be those that lead to it."""
        numbers = {ROOT: ROOT} | {node: number for number, node in enumerate(nodes)}
        parents = np.array([numbers[self.parents.item(node)] for node in nodes], np.int32)
        kept = np.array(nodes, np.intp)
        return Tree(self.tokens[kept], self.survival[kept], self.is_unsure, parents=parents)

    def children(self) -> dict[tuple[int, int], int]:
        """By node (or ROOT) and token that follows: the node of that token."""
        edges = zip(self.parents.tolist(), self.tokens.tolist(), strict=True)
        return {edge: node for node, edge in enumerate(edges)}

    def num_accepted(self, chosen: Sequence[int]) -> int:
        """How many of the tokens `chosen` are walked over: the head of `chosen` that is a path from the root."""
        children, node = self.children(), ROOT
        for number, token in enumerate(chosen):
            if (node, token) not in children:
                return number
            node = children[node, token]
        return len(chosen)


@dataclass(frozen=True, slots=True)
class Likely:
    """The tokens that a target held for likeliest where it chose n tokens, without processors, guards or temperature.

    tokens: `int64[n, k]`, the likeliest first. chances: `float64[n, k]`, their probabilities.
    """

    tokens: npt.NDArray[np.int64]
    chances: FloatArray

    def part(self, start: int, end: int) -> "Likely":
        """Those of the tokens from `start` up to `end`."""
        return Likely(self.tokens[start:end], self.chances[start:end])


class DraftSession(Protocol):
    """The drafting of one row: it follows the row's text and proposes what comes next."""

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]` (the prompt first), never a draft."""

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Propose up to `max_tokens` tokens to follow the text so far; the text stays as it is.

        min_survival: tokens of lower survival are not worth drafting; a drafter that estimates survival stops there.
        """

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn that the target accepted the first `num_accepted` tokens of `draft`; called before `extend`."""

    def close(self) -> None:
        """The row is over; nothing is called after this."""


class HeedingSession(DraftSession, Protocol):
    """A session that drafts from what the target held for likely, beside the tokens that it chose."""

    def heed(self, likely: Likely) -> None:
        """Take in what was held for likely where the tokens of the next `extend` were chosen; not always known."""


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
        """As `propose`; `steering.push` took each token of the draft, and perhaps one more."""


class TreeSession(DraftSession, Protocol):
    """A session that can draft trees."""

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """As `propose`, for a target that takes trees: a `Tree` of up to `max_nodes` nodes, or a chain."""


class SteerableTreeSession(SteerableSession, Protocol):
    """A session that can draft trees around what it drafts within a grammar."""

    def steer_tree(self, max_nodes: int, min_survival: float, steering: Steering) -> Draft:
        """As `steer`, for a target that takes trees: a `Tree` of up to `max_nodes` nodes, or a chain.

        `steering.push` took the tokens of one path, of which the tree has a head; it was not asked about the others.
        """


class Drafter(Protocol):
    """Opens a session per row. It is shared by all calls and threads, and holds the state that outlives a row."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        """Start a row of the traffic named `segment`; None: nothing is kept of the row.

        In a call with a `cache_salt` the segment is a key made of both (`salting.py`), so a drafter that separates
        histories by segment also separates tenants.

        references: texts `int32[n]` outside the row that it may copy from, such as an encoder's input.
        """


class BatchDrafter(Drafter, Protocol):
    """A drafter that proposes for many of its rows at once: one call of compiled code, one pass of a small model.

    Each session that it opens refers to it by an attribute `drafter`.
    """

    def propose_all(
        self, sessions: Sequence[Any], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> Sequence[Draft]:
        """One draft for each of `sessions`, in order, as its `propose` would; max_tokens: of each session.

        A drafter whose sessions have `propose_tree` may have `propose_trees` beside this, for the same of trees.
        """


def propose_all(sessions: Sequence[DraftSession], max_tokens: Sequence[int], min_survival: float = 0.0) -> list[Draft]:
    """One draft for each of `sessions`, in order, as its `propose` would; max_tokens: of each session.

    Sessions of the same `BatchDrafter` are proposed for together, all others one after another. So rows of several
    drafters can decode together, and a drafter needs no method but `open`.

    Raises ValueError if a `BatchDrafter` does not return a draft for each session.
    """
    return _together("propose_all", _propose, sessions, max_tokens, min_survival)


def propose_trees(sessions: Sequence[DraftSession], max_nodes: Sequence[int], min_survival: float = 0.0) -> list[Draft]:
    """As `propose_all`, for a target that takes trees: a `Tree` or a chain for each of `sessions`, in order.

    Sessions of the same drafter are proposed for together if it has `propose_trees`, all others one after another.
    """
    return _together("propose_trees", propose_tree, sessions, max_nodes, min_survival)


def propose_tree(session: DraftSession, max_nodes: int, min_survival: float = 0.0) -> Draft:
    """A draft for a target that takes trees; a session that drafts none proposes a chain."""
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
    """By the method `name` of the sessions' drafters; `propose`: for the sessions of one that has none."""
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
