"""Which nodes of a tree a row's grammars allow."""

from collections.abc import Sequence

from ngramspec.drafting.types import ROOT, Tree
from ngramspec.guards import Lookahead


def legal_nodes(tree: Tree, lookaheads: Sequence[Lookahead], pushed: Sequence[int] = ()) -> list[int]:
    """The nodes of `tree` whose paths all `lookaheads` allow, in order. Their state afterwards is unspecified.

    pushed: tokens that they have taken already. The path along these is not tried again.
    """
    tokens, children = tree.tokens.tolist(), tree.children()
    following: dict[int, list[int]] = {}
    for node, parent in enumerate(tree.parents.tolist()):
        following.setdefault(parent, []).append(node)
    trunk = [ROOT]
    for token in pushed:
        child = children.get((trunk[-1], token))
        if child is None:
            break
        trunk.append(child)
    legal = trunk[1:]
    known, num_pushed = {*legal}, len(pushed)
    # The deepest first, and each path at once, down to its leaf: then the next one needs pops only.
    waiting = [(node, depth) for depth, at in enumerate(trunk) for node in following.get(at, ()) if node not in known]
    while waiting:
        node, depth = waiting.pop()
        path = [node]
        while path[-1] in following:
            path.append(following[path[-1]][0])
        for lookahead in lookaheads:
            lookahead.pop(num_pushed - depth)
        num_legal = _push_all([tokens[each] for each in path], lookaheads)
        num_pushed = depth + num_legal
        legal += path[:num_legal]
        for number, each in enumerate(path[:num_legal], start=1):
            waiting += [(other, depth + number) for other in following.get(each, ())[1:]]
    return sorted(legal)


def _push_all(tokens: list[int], lookaheads: Sequence[Lookahead]) -> int:
    """Advance all by the head of `tokens` that each of them allows; returns its length."""
    length = len(tokens)
    for index, lookahead in enumerate(lookaheads):
        num_legal = lookahead.push_all(tokens[:length])
        for earlier in lookaheads[:index]:
            earlier.pop(length - num_legal)
        length = num_legal
    return length


def push(token: int, lookaheads: Sequence[Lookahead]) -> bool:
    """Advance all by `token` if each of them allows it; returns whether they do."""
    for index, lookahead in enumerate(lookaheads):
        if not lookahead.push(token):
            for earlier in lookaheads[:index]:
                earlier.pop()
            return False
    return True
