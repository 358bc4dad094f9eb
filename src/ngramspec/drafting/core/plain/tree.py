"""A draft that branches: the chain, and other tokens that have followed its contexts, the surest nodes first; or only
the surest path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import itemgetter

from ngramspec.drafting.core.plain.likely import BITS, LikelyNumbers
from ngramspec.drafting.core.plain.mixer import MOST_OFFERED, Estimate, Mixer
from ngramspec.drafting.core.plain.successors import (
    MOST_TOKENS,
    WALKED,
    WALKED_BY_CHAINS,
    Recycled,
    recycled,
    successors,
)
from ngramspec.drafting.core.plain.suffix_index import SuffixIndex
from ngramspec.drafting.types import ROOT

_GROWS = 1.25
"""Successors are looked up only for nodes surer than the threshold by this factor. After others most would be below it,
and the rest hardly worth their columns."""

_LEAST_NEAR, _MOST_NEAR = 0.6, 4.0
"""A chain's survival is mixed only between these multiples of the threshold; elsewhere mixing would hardly change
whether a token is drafted."""

_SURE = 0.99
"""Tokens that are surer than this for the chain are not mixed either, or long copies would take long."""

Tail = list[int]
"""The last MOST_TOKENS tokens before a position."""

Offers = Mapping[int, float]
"""The chain's chance for each token that it offers at a position, the drafted one first."""


@dataclass(slots=True)
class _Node:
    """own, past: the tails to search each text for, which end in the node's token. trunk: how many of the chain's
    tokens lead to it, or -1 for a node off the chain.
    """

    survival: float
    own: Tail
    past: Tail
    trunk: int

    def child(self, token: int, survival: float, *, is_trunk: bool) -> "_Node":
        return _Node(survival, _after(self.own, token), _after(self.past, token), self.trunk + 1 if is_trunk else -1)

    def offers(self, trunk: Sequence[Offers]) -> Offers:
        return trunk[self.trunk] if 0 <= self.trunk < len(trunk) else {}


@dataclass(slots=True)
class GrowingTree:
    """A growing tree, and the estimates at each of its nodes.

    tokens, parents, survivals: of the nodes, in the order in which they were taken. estimates: by node, or ROOT, the
    tokens that might follow it. is_unsure: whether a node was left out because it was not sure enough.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    survivals: list[float] = field(default_factory=list)
    estimates: dict[int, list[Estimate]] = field(default_factory=dict)
    is_unsure: bool = False

    def take(self, token: int, parent: int, survival: float) -> int:
        """Add a node; returns its number."""
        self.tokens.append(token)
        self.parents.append(parent)
        self.survivals.append(survival)
        return len(self.tokens) - 1

    def path(self, committed: Sequence[int]) -> list[int]:
        """The nodes on the path of the committed tokens, from ROOT on."""
        children = {edge: node for node, edge in enumerate(zip(self.parents, self.tokens, strict=True))}
        nodes = [ROOT]
        for token in committed:
            if (nodes[-1], token) not in children:
                break
            nodes.append(children[nodes[-1], token])
        return nodes


_NOTHING = GrowingTree()
"""Stands for no tree; never changed."""


class Branches:
    """Grows the trees and the paths of one row, and learns from what is committed.

    The chain is the trunk. Further tokens at a node are those that followed the latest occurrences of its context, in
    the row's own text and in the history; the chain's estimate of its tokens is one more opinion. The surest of all
    open nodes is taken next, as long as it is sure enough. So no other tree of as many of these nodes has more expected
    accepted tokens. Trees from token counts are from SuffixDecoding (Oliaro et al. 2024).
    """

    def __init__(self, own: SuffixIndex, past: SuffixIndex, mixer: Mixer) -> None:
        """Take nodes from these two texts."""
        self._own, self._past, self._mixer = own, past, mixer
        self.forget()

    def grow(
        self,
        answer: Sequence[int],
        trunk: Sequence[Offers],
        max_nodes: int,
        min_survival: float,
        *,
        is_steered: bool = False,
    ) -> GrowingTree:
        """A tree of up to `max_nodes` nodes with a survival of `min_survival`.

        answer: the end of the row's text, for which the history is searched. trunk: the chain's offers by position.
        is_steered: whether the chain is steered. Then it knows more than the texts: its tokens keep their survival, and
        all others share the rest.
        """
        self._grown = grown = GrowingTree()
        self._is_steered = is_steered
        # By falling survival, then in the order in which they were found: among equals the trunk's token comes first.
        waiting: list[tuple[float, int, int, int, _Node]] = []
        found, node, at = 0, self._root(answer), ROOT
        while True:
            if at != ROOT and node.survival < _GROWS * min_survival:
                grown.is_unsure = True
            else:
                for token, survival, is_trunk in self._children(node, at, trunk, min_survival, WALKED):
                    if survival < min_survival:
                        grown.is_unsure = True
                        continue
                    heappush(waiting, (-survival, found, at, token, node.child(token, survival, is_trunk=is_trunk)))
                    found += 1
            if not waiting or len(grown.tokens) == max_nodes:
                return grown
            _, _, parent, token, node = heappop(waiting)
            at = grown.take(token, parent, node.survival)

    def grow_path(
        self, answer: Sequence[int], trunk: Sequence[Offers], max_tokens: int, min_survival: float
    ) -> GrowingTree:
        """Only the surest path, for a target that takes no trees: as `grow`, but only each node's surest child.

        If the chain is very sure, or its survival far from `min_survival`, its choice stands. Where the chain ends, so
        does the path.
        """
        self._grown = grown = GrowingTree()
        self._is_steered = False
        node, at = self._root(answer), ROOT
        while len(grown.tokens) < max_tokens and (surest := self._surest(node, at, trunk, min_survival)):
            token, survival, is_trunk = surest
            if survival < min_survival:
                grown.is_unsure = True
                break
            node, at = node.child(token, survival, is_trunk=is_trunk), grown.take(token, at, survival)
        return grown

    def learn(self, committed: Sequence[int]) -> None:
        """Learn from the committed tokens, at the nodes on their path."""
        grown = self._grown
        if grown is _NOTHING:
            return
        for node, token in zip(grown.path(committed), committed, strict=False):
            self._mixer.learn(grown.estimates.get(node, ()), token)
        self.forget()

    def forget(self) -> None:
        """Drop the last tree."""
        self._grown = _NOTHING

    def _recycled(self, node: _Node, walked: int) -> Recycled | None:
        """The model's likeliest tokens where a node's context occurred in the row's own text."""
        return recycled(self._own, node.own, walked)

    def _guesses(self) -> LikelyNumbers:
        """The model's likeliest alternatives to the last token, which often come one position later.

        Guessing the token after the next from the last logits is from LogitSpec (Liu et al. 2025).
        """
        size = len(self._own)
        if size < 2:
            return ()
        last = self._own.tokens[size - 1]
        return tuple(number for number in self._own.likely_after(size - 2) if number >> BITS != last)

    def _root(self, answer: Sequence[int]) -> _Node:
        size = len(self._own)
        return _Node(1.0, self._own.read(max(0, size - MOST_TOKENS), size).tolist(), [*answer[-MOST_TOKENS:]], 0)

    def _surest(
        self, node: _Node, at: int, trunk: Sequence[Offers], min_survival: float
    ) -> tuple[int, float, bool] | None:
        """The surest token that may follow a node, as (token, survival, whether it is the trunk's), or None."""
        offers = node.offers(trunk)
        if offers:
            token, chance = next(iter(offers.items()))
            survival = node.survival * chance
            if chance > _SURE or not _LEAST_NEAR * min_survival <= survival <= _MOST_NEAR * min_survival:
                return token, survival, True
        elif node.trunk >= 0:
            return None
        if at != ROOT and node.survival < _GROWS * min_survival:
            self._grown.is_unsure = True
            return None
        children = self._children(node, at, trunk, min_survival, WALKED_BY_CHAINS)
        return max(children, key=itemgetter(1)) if children else None

    def _children(
        self, node: _Node, at: int, trunk: Sequence[Offers], min_survival: float, walked: int
    ) -> list[tuple[int, float, bool]]:
        """Tokens that may follow a node, as (token, survival, whether it is the trunk's); chances add up to at most 1.

        At most one token more is weighed than can be sure enough.
        """
        own, past = successors(self._own, node.own, walked), successors(self._past, node.past, walked)
        is_bounded = node.survival < (MOST_OFFERED - 1) * min_survival
        most = int(node.survival / min_survival) + 1 if is_bounded else MOST_OFFERED
        offers = node.offers(trunk)
        likely, guesses = self._recycled(node, walked), self._guesses() if at == ROOT else ()
        self._grown.estimates[at] = estimates = self._mixer.weigh(own, past, offers, most, likely, guesses)
        drafted = next(iter(offers), None)
        if self._is_steered and drafted is not None:
            return _beside(offers, estimates, node.survival)
        total = max(1.0, _sum(estimates))
        return [(each.token, node.survival * (each.chance / total), each.token == drafted) for each in estimates]


def _beside(offers: Offers, estimates: Sequence[Estimate], survival: float) -> list[tuple[int, float, bool]]:
    """As `Branches._children`, after a node of a steered chain: its token keeps its survival, others share the rest.

    The chain drafts the surest offered token that its grammar allows; surer ones were refused.
    """
    drafted, chance = next(iter(offers.items()))
    others = [each for each in estimates[1:] if offers.get(each.token, 0.0) <= chance]
    rest = 1.0 - chance
    total = max(rest, _sum(others))
    beside = [(each.token, survival * (each.chance / total * rest), False) for each in others]
    return [(drafted, survival * chance, True), *beside]


def _sum(estimates: Sequence[Estimate]) -> float:
    """The sum of the chances, one by one like the compiled core; `sum` rounds differently."""
    total = 0.0
    for each in estimates:
        total += each.chance
    return total


def _after(tail: Tail, token: int) -> Tail:
    return [*tail[1 - MOST_TOKENS :], token]
