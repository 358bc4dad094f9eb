"""What came after a context before: for each of its orders the latest distinct successors, and how often each came.

No table is kept for it: `SuffixIndex` has for each position those before it that read the same, which are walked. So
it takes no memory, and a text that is forgotten is forgotten here too.
"""

from collections.abc import Sequence
from itertools import takewhile

from ngramspec.drafting.core.plain.likely import Likely
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, SuffixIndex

ORDERS = (1, 2, 4, 12)
"""So many of the last tokens are a context. The orders of lpaq, twice as many up to 24, bring no more."""

MOST_TOKENS = ORDERS[-1]
"""Tokens before a position that say what follows it."""

WALKED = 8
"""Occurrences that are counted for a tree, the latest ones: of the last token, of the last two, and of the last four.
16 bring 0.1 % more, 4 bring 1.5 % less."""

WALKED_BY_CHAINS = 4
"""The same for a chain, which needs the surest token alone."""

WIDTH = 8
"""Distinct successors of a context that are kept."""

Recycled = tuple[int, Likely]
"""What the model held for likely after the latest occurrence of the longest of ORDERS of which that is known: the
index of that order, and what was noted."""

Counts = dict[int, int]
"""By token: how often it followed; the latest first."""


def successors(index: SuffixIndex, tail: Sequence[int], walked: int = WALKED) -> list[Counts]:
    """For each of ORDERS, as far as that many of the last tokens occurred before: what followed them in `index`.

    tail: the end of a text, which need not be that of the index. walked: so many occurrences are counted.
    """
    found: list[Counts] = []
    starts = index.latest(tail)
    text = index.tokens
    for (first, last), start in zip(((0, 1), (1, 2), (2, len(ORDERS))), starts, strict=True):
        if start < 0:
            break
        orders = ORDERS[first:last]
        counts = _counted(text, index.earlier(orders[0]), start, tail, orders, walked)
        found += [*takewhile(bool, counts)]
        if not counts[-1]:
            break
    return found


def recycled(index: SuffixIndex, tail: Sequence[int], walked: int = WALKED) -> Recycled | None:
    """What the model said where the end of `tail` occurred in `index`; None where nothing is known of that.

    Of the occurrences that `successors` counts the longest that agree are looked at first.
    """
    if not index.num_noted:
        return None
    starts = index.latest(tail)
    for first, last in ((2, len(ORDERS)), (1, 2), (0, 1)):
        found: Recycled | None = None
        orders, position = ORDERS[first:last], starts[first]
        earlier = index.earlier(orders[0])
        for _ in range(walked):
            if position < 0:
                break
            if likely := index.likely_after(position):
                agreeing = _num_agreeing(index.tokens, position, tail, orders)
                order = first + sum(each <= agreeing for each in orders[1:])
                if found is None or order > found[0]:
                    found = order, likely
            position = earlier[position]
        if found is not None:
            return found
    return None


def _counted(
    text: "memoryview[int]",
    earlier: "memoryview[int]",
    position: int,
    tail: Sequence[int],
    orders: Sequence[int],
    walked: int,
) -> list[Counts]:
    """What follows the occurrences that end at `position` and `earlier`, which agree over the first of `orders`."""
    counts: list[Counts] = [{} for _ in orders]
    for _ in range(walked):
        if position < 0:
            break
        token = text[position + 1]
        if token != SEPARATOR:
            agreeing = _num_agreeing(text, position, tail, orders)
            for order, counted in zip(orders, counts, strict=True):
                if order > agreeing:
                    break
                if token in counted:
                    counted[token] += 1
                elif len(counted) < WIDTH:
                    counted[token] = 1
        position = earlier[position]
    return counts


def _num_agreeing(text: "memoryview[int]", position: int, tail: Sequence[int], orders: Sequence[int]) -> int:
    """How many tokens that end at `position` are those of `tail`: the first of `orders` at least, the last at most."""
    agreeing = orders[0]
    limit = min(len(tail), position + 1, orders[-1])
    while agreeing < limit and text[position - agreeing] == tail[-1 - agreeing]:
        agreeing += 1
    return agreeing
