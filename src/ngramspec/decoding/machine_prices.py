"""Time of a forward pass, and of the host's work beside it, as sums of a few prices."""

from dataclasses import dataclass, fields

from ngramspec.decoding.costs import Shape


@dataclass(frozen=True, slots=True)
class PassPrices:
    """Seconds of a forward pass: a sum of `base` and of what each row, token, cached token and pair of these adds.

    of_cached: for each cached token of each row, which a pass reads. of_pair: for each pair of a token that is read and
    one that it attends to. pads: whether rows are padded to the widest one and to the longest context, as in
    `generate()`; else they are packed, as in vLLM, and cost follows tokens.

    Raises ValueError for a price below 0, and unless a pass costs more than 0 seconds.
    """

    base: float = 0.0
    of_row: float = 0.0
    of_token: float = 0.0
    of_cached: float = 0.0
    of_pair: float = 0.0
    pads: bool = False

    def __post_init__(self) -> None:
        """See the class."""
        prices = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "pads"}
        wrong = next((name for name, price in prices.items() if not 0.0 <= price < float("inf")), None)
        if wrong is not None:
            raise ValueError(f"a price must be a finite number of seconds >= 0, got {wrong}={prices[wrong]!r}")
        if self.base + self.of_row + self.of_token <= 0.0:
            raise ValueError("a pass must cost more than 0 seconds, got base, of_row and of_token of 0: set one")

    def seconds(self, shape: Shape) -> float:
        """What a pass of this shape costs; of a prompt, each token attends to half of the others on average."""
        tokens = shape.rows * shape.columns if self.pads else shape.tokens
        attended = shape.context + shape.columns / 2
        return (
            self.base
            + self.of_row * shape.rows
            + self.of_token * tokens
            + self.of_cached * shape.rows * shape.context
            + self.of_pair * tokens * attended
        )


@dataclass(frozen=True, slots=True)
class DraftingPrices:
    """Seconds of drafting for the rows of a pass, or of making masks for them.

    of_pass, of_row, of_token: for the pass, and for each of its rows and drafted tokens. of_step: for each token of the
    longest draft, as a draft model needs it, which makes a pass for each position.
    """

    of_pass: float = 0.0
    of_row: float = 0.0
    of_token: float = 0.0
    of_step: float = 0.0

    def seconds(self, rows: int, tokens: int, longest: int) -> float:
        """For this many rows and drafted tokens; longest: tokens of the longest draft."""
        return self.of_pass + self.of_row * rows + self.of_token * tokens + self.of_step * longest


@dataclass(frozen=True, slots=True)
class HostPrices:
    """Seconds of the host's work beside forward passes, by kind.

    loop_of_pass, loop_of_row: of the decode loop, with and without drafts. blind, steered: of drafting, by the drafter
    alone and within grammars. masks: of the masks of guarded rows, with and without drafts, as far as passes wait for
    them. of_prompt_token: of adding a token of a prompt to the drafter's index. of_request: of adding a request to the
    engine, with drafts and without: `generate()` prepares its arguments.
    """

    loop_of_pass: float = 0.0
    loop_of_row: float = 0.0
    blind: DraftingPrices = DraftingPrices()
    steered: DraftingPrices = DraftingPrices()
    masks: DraftingPrices = DraftingPrices()
    of_prompt_token: float = 0.0
    of_request: float = 0.0


FREE = HostPrices()
"""A host that takes no time."""
