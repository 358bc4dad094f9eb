"""A draft that branches: the chain, and beside it what else has followed such contexts, the surest nodes first; or the
surest path alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import itemgetter

from ngramspec.drafting.core.plain.likely import BITS, Likely
from ngramspec.drafting.core.plain.mixer import MOST_OFFERED, Mixer, Weighed
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
"""A node must be so much surer than asked for, or what may follow it is not looked up: most of that would not be sure
enough, and what is would hardly be worth its column."""

_LEAST_NEAR, _MOST_NEAR = 0.6, 4.0
"""A chain's survival is mixed from so many times to so many times what is asked for; elsewhere mixing would hardly
change whether a token is drafted."""

_SURE = 0.99
"""A token that is surer than this to the chain is not mixed either, or long copies would take long."""

Tail = list[int]
"""The last MOST_TOKENS tokens before a position."""

Offers = Mapping[int, float]
"""By token that the chain offers at a position, the drafted one first: the chance that it gives it."""


@dataclass(slots=True)
class _Node:
    """own, past: what each text is searched for, which ends in the node's token. trunk: how many of the chain's tokens
    lead to it, or -1 for a node that the chain does not lead to.
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
class Growth:
    """A tree as it grows, and what was thought at each of its nodes.

    tokens, parents, survivals: of the nodes, in the order in which they were taken. weighed: by node, or ROOT, the
    tokens that might follow it. is_unsure: whether a node was left out that was not sure enough.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    survivals: list[float] = field(default_factory=list)
    weighed: dict[int, list[Weighed]] = field(default_factory=dict)
    is_unsure: bool = False

    def take(self, token: int, parent: int, survival: float) -> int:
        """Returns the number of the new node."""
        self.tokens.append(token)
        self.parents.append(parent)
        self.survivals.append(survival)
        return len(self.tokens) - 1

    def path(self, committed: Sequence[int]) -> list[int]:
        """The nodes that the committed tokens walk over, from ROOT on."""
        children = {edge: node for node, edge in enumerate(zip(self.parents, self.tokens, strict=True))}
        nodes = [ROOT]
        for token in committed:
            if (nodes[-1], token) not in children:
                break
            nodes.append(children[nodes[-1], token])
        return nodes


_NOTHING = Growth()
"""Where no tree was grown; never changed."""


class Branches:
    """Grows the trees and the paths of one row, and learns from what is committed.

    The chain is the trunk. At each node further tokens are those that followed the latest occurrences of its context,
    in the row's own text and in the history; what the chain thinks of its tokens is one more opinion of them. The
    surest of all open nodes is taken next, as long as it is sure enough, so no other tree of as many of these nodes is
    expected to have more tokens accepted. Trees of token counts are from SuffixDecoding (Oliaro et al. 2024).
    """

    def __init__(self, own: SuffixIndex, past: SuffixIndex, mixer: Mixer) -> None:
        """Nodes come from these two texts."""
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
    ) -> Growth:
        """A tree of up to `max_nodes` nodes that survive with `min_survival`.

        answer: what the history is searched for: the end of the row's text. trunk: by position of the chain.
        is_steered: the chain is. It knows what no text says, so its tokens survive as it says, and what else may come
        shares the rest.
        """
        self._grown = grown = Growth()
        self._is_steered = is_steered
        # By falling survival, then in the order in which they were found: of equals the trunk's token comes first.
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

    def grow_path(self, answer: Sequence[int], trunk: Sequence[Offers], max_tokens: int, min_survival: float) -> Growth:
        """The surest path alone, for a target that takes no trees: as `grow`, the surest child of each node.

        Where the chain is very sure, or its survival far from `min_survival`, it has the last word; where it ends, so
        does the path.
        """
        self._grown = grown = Growth()
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
        """Learn from the tokens that came what was thought at the nodes that they walk over."""
        grown = self._grown
        if grown is _NOTHING:
            return
        for node, token in zip(grown.path(committed), committed, strict=False):
            self._mixer.learn(grown.weighed.get(node, ()), token)
        self.forget()

    def forget(self) -> None:
        """There is no last tree any more."""
        self._grown = _NOTHING

    def _said(self, node: _Node, walked: int) -> Recycled | None:
        """What the model said where the context of a node came before in the row's own text."""
        return recycled(self._own, node.own, walked)

    def _guesses(self) -> Likely:
        """What the model held for likely instead of the last token: it often comes one position later.

        The last logits as a guess at the token after the next are from LogitSpec (Liu et al. 2025).
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
        """(token, survival, whether it is the trunk's) of the surest that may follow a node, or None."""
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
        """(token, survival, whether it is the trunk's) of what may follow a node; the chances add up to 1 at most.

        No more tokens are weighed than can be sure enough, and one.
        """
        own, past = successors(self._own, node.own, walked), successors(self._past, node.past, walked)
        is_bounded = node.survival < (MOST_OFFERED - 1) * min_survival
        most = int(node.survival / min_survival) + 1 if is_bounded else MOST_OFFERED
        offers = node.offers(trunk)
        said, guesses = self._said(node, walked), self._guesses() if at == ROOT else ()
        self._grown.weighed[at] = weighed = self._mixer.weigh(own, past, offers, most, said, guesses)
        drafted = next(iter(offers), None)
        if self._is_steered and drafted is not None:
            return _beside(offers, weighed, node.survival)
        total = max(1.0, _sum(weighed))
        return [(each.token, node.survival * (each.chance / total), each.token == drafted) for each in weighed]


def _beside(offers: Offers, weighed: Sequence[Weighed], survival: float) -> list[tuple[int, float, bool]]:
    """As `Branches._children`, after a node of a steered chain: what it drafts survives as it says, the rest is shared.

    Of what it is offered, it drafts the surest token that its grammar allows; surer ones are refused.
    """
    drafted, chance = next(iter(offers.items()))
    others = [each for each in weighed[1:] if offers.get(each.token, 0.0) <= chance]
    rest = 1.0 - chance
    total = max(rest, _sum(others))
    beside = [(each.token, survival * (each.chance / total * rest), False) for each in others]
    return [(drafted, survival * chance, True), *beside]


def _sum(weighed: Sequence[Weighed]) -> float:
    """Of the chances, one by one, as the compiled core does; `sum` rounds otherwise."""
    total = 0.0
    for each in weighed:
        total += each.chance
    return total


def _after(tail: Tail, token: int) -> Tail:
    return [*tail[1 - MOST_TOKENS :], token]
