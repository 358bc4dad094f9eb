"""Earlier successors of a context: for each of its orders the latest distinct ones, and how often each came.

There is no table for it: `SuffixIndex` links each position to earlier ones with the same tokens, and these links are
walked. So it takes no memory, and a dropped text is dropped here, too.
"""

from collections.abc import Sequence
from itertools import takewhile

from ngramspec.drafting.core.plain.likely import LikelyNumbers
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, SuffixIndex

ORDERS = (1, 2, 4, 12)
"""Lengths of contexts, in tokens. lpaq's orders, twice as many up to 24, gain nothing."""

MOST_TOKENS = ORDERS[-1]
"""Tokens before a position on which its successors depend."""

WALKED = 8
"""Occurrences that are counted for a tree, the latest ones: of the last token, of the last two, and of the last four.
16 gain 0.1 % more, 4 gain 1.5 % less."""

WALKED_BY_CHAINS = 4
"""The same for a chain, which needs only the surest token."""

WIDTH = 8
"""Most distinct successors that are kept per context."""

Recycled = tuple[int, LikelyNumbers]
"""The model's likeliest tokens after the latest occurrence of the longest context for which they are known: the index
of its order, and the noted numbers."""

Counts = dict[int, int]
"""How often each token followed; the latest first."""


def successors(index: SuffixIndex, tail: Sequence[int], walked: int = WALKED) -> list[Counts]:
    """For each of ORDERS, as long as that many of the last tokens occurred before: what followed them in `index`.

    tail: the end of a text, which need not be that of the index. walked: most occurrences that are counted.
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
    """The model's likeliest tokens where the end of `tail` occurred in `index`; None if none are known.

    Of the occurrences that `successors` counts, those that agree over the most tokens come first.
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
    """Successors of the occurrences that end at `position` and `earlier`, which agree over the first of `orders`."""
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
    """How many tokens up to `position` agree with `tail`: at least the first of `orders`, at most the last."""
    agreeing = orders[0]
    limit = min(len(tail), position + 1, orders[-1])
    while agreeing < limit and text[position - agreeing] == tail[-1 - agreeing]:
        agreeing += 1
    return agreeing
