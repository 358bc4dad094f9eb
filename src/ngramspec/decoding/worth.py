"""What a second of a pass is worth, in tokens."""

from ngramspec.decoding.costs import Costs, Shape

LEAST_OWN = 0.01
"""The least share of a plain pass that its rows are believed to cost themselves; it may not have been measured yet."""


def worth_of_second(shape: Shape, costs: Costs, plain: float) -> float:
    """Tokens that a second is worth: what it brings lately, or by plain decoding if that is more.

    A token that is emitted sooner saves its row a later pass. Where prompts wait for each other that pass is made all
    the same, because each prompt is read beside so many of them; only the row's own part of it is saved. So a token
    saves less time there, and a second is worth more tokens.

    shape: of the pass without drafts, which takes `plain` seconds.
    """
    rate = max(costs.rate(shape), shape.rows / plain)
    if not shape.waiting:
        return rate
    return rate / max(LEAST_OWN, 1.0 - shape.waiting * costs.fixed_share(shape))
