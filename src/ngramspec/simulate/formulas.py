"""The formulas of the field, for comparison with a simulation.

They assume one acceptance rate for all tokens, drafts of one length, and drafting that costs nothing: an upper bound.
In traffic the rate differs from text to text and from token to token, so a mean rate promises too little for the best
texts and too much for the others.
"""

from dataclasses import asdict, dataclass

from ngramspec.decoding import PassPrices, Shape
from ngramspec.simulate.drafting import Reliability
from ngramspec.stats import Counters


def expected_tokens(acceptance: float, draft_tokens: float) -> float:
    """Tokens of a pass that verifies K, each accepted at this rate: (1 - a^(K + 1)) / (1 - a), Leviathan et al."""
    if acceptance >= 1.0:
        return draft_tokens + 1.0
    return float((1.0 - acceptance ** (draft_tokens + 1.0)) / (1.0 - acceptance))


def break_even_rows(prices: PassPrices, acceptance: float, draft_tokens: float, context: int = 0) -> float | None:
    """The number of rows, packed or with drafts of one length, from which on drafts cost more than they gain.

    None if there is none: prices rise more slowly than tokens. 1.0 at least.
    """
    tokens = expected_tokens(acceptance, draft_tokens)
    plain, drafted = (_of_row(prices, 1.0 + more, context) for more in (0.0, draft_tokens))
    slope = drafted - tokens * plain
    if slope <= 0.0:
        return None
    return max(1.0, prices.base * (tokens - 1.0) / slope)


def _of_row(prices: PassPrices, columns: float, context: int) -> float:
    """Seconds that a row of this many tokens adds to a pass."""
    row = Shape(1, 1, 1, context)
    return prices.seconds(row) - prices.base + (columns - 1.0) * (prices.of_token + prices.of_pair * context)


@dataclass(frozen=True, slots=True)
class Formula:
    """What the formula says for the drafts of a run.

    acceptance: observed rate of tokens whose predecessors were accepted. draft_tokens: mean length of a draft.
    drafted_share: share of the rows' passes with a draft. tokens_per_pass: by the formula, passes without drafts
    included; simulated: observed. break_even: rows from which on drafts of that length cost more than they gain, by the
    formula.
    """

    acceptance: float
    draft_tokens: float
    drafted_share: float
    tokens_per_pass: float
    simulated: float
    break_even: float | None

    @classmethod
    def of(cls, counters: Counters, reliability: Reliability, prices: PassPrices) -> "Formula":
        """For the drafts that `counters` and `reliability` have counted, at these prices."""
        acceptance = reliability.num_accepted / reliability.num_tried if reliability.num_tried else 0.0
        length = counters.num_draft_tokens / counters.num_drafts if counters.num_drafts else 0.0
        share = counters.num_drafts / counters.target_passes if counters.target_passes else 0.0
        tokens = 1.0 + share * (expected_tokens(acceptance, length) - 1.0)
        break_even = break_even_rows(prices, acceptance, length) if counters.num_drafts else 1.0
        return cls(acceptance, length, share, tokens, counters.tokens_per_pass, break_even)

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """One sentence."""
        at = "nowhere" if self.break_even is None else f"at {self.break_even:.0f} rows"
        return (
            f"drafts in {self.drafted_share:.2f} of the passes, of {self.draft_tokens:.1f} tokens, each accepted with a"
            f" probability of {self.acceptance:.2f} after those before it: the formula promises"
            f" {self.tokens_per_pass:.2f} tokens per pass, the simulation has {self.simulated:.2f}; drafts of this"
            f" length for all rows break even {at}."
        )
