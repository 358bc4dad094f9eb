"""A draft that branches: the chain, and beside it what else has followed such contexts, the surest nodes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from ngramspec.drafting.core.plain.mixer import Mixer, Weighed
from ngramspec.drafting.core.plain.successors import MOST_TOKENS, successors
from ngramspec.drafting.core.plain.suffix_index import SuffixIndex
from ngramspec.drafting.types import ROOT

Tail = list[int]
"""The last MOST_TOKENS tokens before a position."""


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


@dataclass(slots=True)
class Growth:
    """A tree as it grows, and what was thought at each of its nodes.

    tokens, parents, survivals: of the nodes, in the order in which they were taken. weighed: by node, or ROOT, all
    tokens that might follow it. is_unsure: whether a node was left out that was not sure enough.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    survivals: list[float] = field(default_factory=list)
    weighed: dict[int, list[Weighed]] = field(default_factory=dict)
    is_unsure: bool = False

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
    """Grows the trees of one row, and learns from what is committed.

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
        self, answer: Sequence[int], trunk: Sequence[Mapping[int, float]], max_nodes: int, min_survival: float
    ) -> Growth:
        """A tree of up to `max_nodes` nodes that survive with `min_survival`.

        answer: what the history is searched for: the end of the row's text. trunk: by position the tokens that the
        chain offers, the drafted one first, and the chance of each.
        """
        self._grown = grown = Growth()
        size = len(self._own)
        root = _Node(1.0, self._own.read(max(0, size - MOST_TOKENS), size).tolist(), [*answer[-MOST_TOKENS:]], 0)
        # By falling survival, then in the order in which they were found: of equals the trunk's token comes first.
        waiting: list[tuple[float, int, int, int, _Node]] = []
        found, node, at = 0, root, ROOT
        while True:
            offers = trunk[node.trunk] if 0 <= node.trunk < len(trunk) else {}
            for token, chance, is_trunk in self._chances(node, at, offers):
                survival = node.survival * chance
                if survival < min_survival:
                    grown.is_unsure = True
                    continue
                heappush(waiting, (-survival, found, at, token, node.child(token, survival, is_trunk=is_trunk)))
                found += 1
            if not waiting or len(grown.tokens) == max_nodes:
                return grown
            _, _, parent, token, node = heappop(waiting)
            at = len(grown.tokens)
            grown.tokens.append(token)
            grown.parents.append(parent)
            grown.survivals.append(node.survival)

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

    def _chances(self, node: _Node, at: int, offers: Mapping[int, float]) -> list[tuple[int, float, bool]]:
        """(token, chance, whether it is the trunk's) of what may follow a node; the chances add up to 1 at most."""
        own, past = successors(self._own, node.own), successors(self._past, node.past)
        self._grown.weighed[at] = weighed = self._mixer.weigh(own, past, offers)
        total = 0.0
        for each in weighed:  # one by one, as the compiled core does; `sum` rounds otherwise
            total += each.chance
        total = max(1.0, total)
        drafted = next(iter(offers), None)
        return [(each.token, each.chance / total, each.token == drafted) for each in weighed]


def _after(tail: Tail, token: int) -> Tail:
    return [*tail[1 - MOST_TOKENS :], token]
