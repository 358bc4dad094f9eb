"""The order in which a pass reads a tree: depth first, surest child first. So its surest path is a run of slots.

    tree     the ─┬─ cat ─┬─ sat ── on        node     0    1    2    3    4    5
                  │       └─ ran              token    cat  sat  on   ran  dog  sat
                  └─ dog ─── sat              depth    0    1    2    1    0    1

If the walk stays on that path, the keys of accepted tokens are already in the slots of the row's text. Keys of nodes
after a branch are in later slots, and are moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import ROOT, Draft, Tree

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """The nodes of a tree in the order of their columns.

    tree: in that order. tokens: of its nodes. depths: of its nodes; 0 for nodes that follow the row's text.
    """

    tree: Tree
    tokens: list[int]
    depths: list[int]

    @property
    def surest(self) -> list[int]:
        """The tokens of the surest path: the first columns, in which each node follows the one before."""
        depths, end = self.depths, 1
        while end < len(depths) and depths[end] > depths[end - 1]:
            end += 1
        return self.tokens[:end]

    def path_to(self, node: int) -> list[int]:
        """The tokens of the path to `node`, its own the last."""
        parents, path = self.tree.parents, [node]
        while (parent := parents.item(path[-1])) != ROOT:
            path.append(parent)
        return [self.tokens[each] for each in reversed(path)]

    def path(self, tokens: Sequence[int]) -> list[int]:
        """The nodes that a walk over `tokens` from the root visits; there is one for each."""
        children, node, nodes = self.tree.children(), ROOT, []
        for token in tokens:
            node = children[node, token]
            nodes.append(node)
        return nodes

    def walked(self, chosen: Sequence[int]) -> list[int]:
        """The tokens that a walk emits. chosen: K + 1 tokens, those chosen after the root and after each node."""
        children, emitted = self.tree.children(), [chosen[0]]
        node = children.get((ROOT, emitted[0]))
        while node is not None:
            emitted.append(chosen[node + 1])
            node = children.get((node, emitted[-1]))
        return emitted

    def seen(self, window: int | None) -> BoolArray:
        """Which nodes each node sees, `bool[K, K]`: itself, and its ancestors within a sliding window."""
        size = len(self.tokens)
        seen = np.eye(size, dtype=np.bool_)
        for node, parent in enumerate(self.tree.parents.tolist()):
            if parent != ROOT:
                seen[node] |= seen[parent]
        if window is not None:
            depths = np.array(self.depths)
            seen &= depths[:, None] - depths < window
        return seen


NO_TREES: Mapping[int, Layout] = MappingProxyType({})
"""Layouts by row if all drafts are chains: none."""


def layout_of(draft: Draft) -> Layout | None:
    """The layout of a tree; None for a draft that does not branch, which is read as a chain."""
    if not isinstance(draft, Tree):
        return None
    parents = draft.parents.tolist()
    if parents == [*range(ROOT, len(parents) - 1)]:
        return None
    order = _depth_first(parents)
    columns = {ROOT: ROOT} | {node: column for column, node in enumerate(order)}
    reordered = np.array([columns[parents[node]] for node in order], np.int32)
    tree = Tree(draft.tokens[order], draft.survival[order], draft.is_unsure, parents=reordered)
    depths: list[int] = []
    for parent in reordered.tolist():
        depths.append(0 if parent == ROOT else depths[parent] + 1)
    return Layout(tree, tree.tokens.tolist(), depths)


def _depth_first(parents: Sequence[int]) -> list[int]:
    """The nodes, each followed by its descendants; among siblings the earlier, and surer, one first."""
    children: dict[int, list[int]] = {}
    for node in reversed(range(len(parents))):
        children.setdefault(parents[node], []).append(node)
    order, waiting = [], children.get(ROOT, [])
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += children.get(node, [])
    return order
