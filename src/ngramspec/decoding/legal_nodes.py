"""Which nodes of a tree do a row's grammars allow?"""

from collections.abc import Sequence

from ngramspec.drafting.types import ROOT, Tree
from ngramspec.guards import Lookahead


def legal_nodes(tree: Tree, lookaheads: Sequence[Lookahead], pushed: Sequence[int] = ()) -> list[int]:
    """The nodes of `tree` whose paths all `lookaheads` can take, in order; it leaves them anywhere.

    pushed: tokens that they have taken already. The path that these lead along is not asked about again.
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
    # The deepest first: so each is reached from where the lookaheads are by going back alone.
    waiting = [(node, depth) for depth, at in enumerate(trunk) for node in following.get(at, ()) if node not in known]
    while waiting:
        node, depth = waiting.pop()
        for lookahead in lookaheads if num_pushed > depth else ():
            lookahead.pop(num_pushed - depth)
        num_pushed = depth
        if push(tokens[node], lookaheads):
            num_pushed += 1
            legal.append(node)
            waiting += [(child, depth + 1) for child in following.get(node, ())]
    return sorted(legal)


def push(token: int, lookaheads: Sequence[Lookahead]) -> bool:
    """Advance all by `token` if each of them allows it; returns whether they do."""
    for index, lookahead in enumerate(lookaheads):
        if not lookahead.push(token):
            for earlier in lookaheads[:index]:
                earlier.pop()
            return False
    return True
