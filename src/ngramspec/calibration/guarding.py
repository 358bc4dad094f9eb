"""What guards cost beside passes: steering, and the masks that passes wait for."""

from collections.abc import Sequence
from statistics import median

from ngramspec.calibration.fitting import fitted
from ngramspec.calibration.measuring import PERIOD, PROMPT, PassRecorder, RandomDrafter, SteeredDrafting, engine_of
from ngramspec.decoding import Budget, Clock, DraftingPrices, FixedBudget, Shape
from ngramspec.drafting import AdaptiveLookup, Drafter
from ngramspec.guards import Guard, Vocabulary
from ngramspec.hf.types import Model

DRAFT_TOKENS = 8
ENOUGH = 3
"""Passes of a width that suffice to price it."""

SCHEMA = {
    "type": "object",
    "properties": {f"member_{number}": {"type": "string", "maxLength": 12} for number in range(40)},
    "required": [f"member_{number}" for number in range(40)],
    "additionalProperties": False,
}
"""Names, which are foreseen, and values, which are not: some of each in any model's answer."""


def guard_prices(
    model: Model, vocabulary: Vocabulary, rows: int, passes: int, clock: Clock
) -> tuple[DraftingPrices, DraftingPrices]:
    """Seconds of steering, and of masks, measured with one row and with `rows` that write JSON under a schema.

    vocabulary: of the model's tokenizer. passes: most passes of each kind. Masks are made while the model computes, so
    their price is the extra time of guarded passes over the same passes without a guard.
    """
    guard = Guard.json_schema(SCHEMA, vocabulary, whitespace="compact")
    ends = min(vocabulary.eos_tokens, default=None)

    def made(batch: int, drafter: Drafter, drafts: int, guard: Guard | None) -> PassRecorder:
        recorder = PassRecorder()
        budget: Budget = FixedBudget(drafts)
        with engine_of(
            model, recorder, drafter, clock, batch, PROMPT, room=PROMPT, budget=budget, period=PERIOD, guard=guard,
            ends=None if guard is None else ends,
        ) as engine:  # fmt: skip
            while len(recorder.passes) < passes and engine.num_running == batch:
                engine.step()
        return recorder

    def plain(batch: int, drafts: int) -> PassRecorder:
        drafter = RandomDrafter(model.config.vocab_size)
        drafter.length = drafts
        return made(batch, drafter, drafts, None)

    extra = {
        batch: _seconds(made(batch, AdaptiveLookup(), 0, guard), 1) - _seconds(plain(batch, 0), 1)
        for batch in (1, rows)
    }
    of_row = max(0.0, (extra[rows] - extra[1]) / max(rows - 1, 1))
    one, many = (made(batch, AdaptiveLookup(), DRAFT_TOKENS, guard) for batch in (1, rows))
    widths = {shape.columns for shape, _ in one.passes if shape.columns > 1}
    known = [width for width in widths if _count(one.passes, width) >= ENOUGH]
    of_token = [
        (_seconds(one, width) - _seconds(plain(1, width - 1), width) - extra[1]) / (width - 1)
        for width in sorted(known)
    ]
    masks = DraftingPrices(
        of_pass=max(0.0, extra[1] - of_row), of_row=of_row, of_token=max(0.0, median(of_token)) if of_token else 0.0
    )
    return _steering([*one.steered, *many.steered]), masks


def _steering(measured: Sequence[SteeredDrafting]) -> DraftingPrices:
    timed = [each for each in measured if each.seconds > 0.0]
    if not timed:
        return DraftingPrices()
    terms = [(1.0, each.rows, each.tokens) for each in timed]
    of_pass, of_row, of_token = fitted(terms, [each.seconds for each in timed], num_needed=3)
    return DraftingPrices(of_pass, of_row, of_token)


def _seconds(recorder: PassRecorder, columns: int) -> float:
    return median(seconds for shape, seconds in recorder.passes if shape.columns == columns)


def _count(passes: Sequence[tuple[Shape, float]], columns: int) -> int:
    return sum(shape.columns == columns for shape, _ in passes)
