"""In which order the target's choices are read off a pass: three orders, one rule of acceptance (`decoding/commit.py`).

- at once (greedy, nothing looks at the text): one argmax over all rows and positions.
- row by row (a single row, or nothing looks across rows): each row walks down its own draft.
- in step (a batch with an unknown processor or criterion, or with recorded scores): position j of all rows together,
  with plain's `[B, L]` arguments; the pass ends where the first row leaves its draft, or ends.
"""

from collections.abc import Sequence

from ngramspec.decoding import Choices, Plan
from ngramspec.drafting.types import TokenArray
from ngramspec.hf.choice import masks
from ngramspec.hf.choice.masks import MaskThreads, RowMasks
from ngramspec.hf.rows.at_once import all_at_once
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.in_step import InStep
from ngramspec.hf.rows.logits import RowLogits
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.rows.row_by_row import KeepingErrors, RowByRow


def begin(plans: Sequence[Plan]) -> None:
    """Before the forward pass: start to fill the masks of guarded rows."""
    by_threads: dict[MaskThreads, list[tuple[RowMasks, TokenArray]]] = {}
    for plan in plans:
        row = plan.row
        if isinstance(row, ModelRow) and row.masks and not row.ended:
            by_threads.setdefault(call_of(row).threads, []).append((row.masks, plan.draft.tokens))
    for threads, drafted in by_threads.items():
        masks.begin(drafted, threads)


def choices_of(shares: Sequence[RowLogits]) -> list[Choices]:
    """What the logits of a pass choose; each call's rows together, in its order."""
    judged = [_judged(share) if share.row.masks and not share.row.ended else share for share in shares]
    by_call: dict[Call, list[RowLogits]] = {}
    for share in judged:
        by_call.setdefault(call_of(share.row), []).append(share)
    choices: list[Choices] = []
    for call, own in by_call.items():
        choices += _of_call(call, own)
    return choices


def _of_call(call: Call, shares: Sequence[RowLogits]) -> Sequence[Choices]:
    if call.in_step:
        return [InStep(call, shares)]
    alone = all_at_once(call, shares) if call.is_greedy_at_once else [RowByRow(call, share) for share in shares]
    return [KeepingErrors(choices) for choices in alone] if call.keeps_errors else alone


def call_of(row: ModelRow) -> Call:
    """The call of a row, typed."""
    assert isinstance(row.call, Call)
    return row.call


def _judged(share: RowLogits) -> RowLogits:
    """The share with the head of its draft that masks cover."""
    return share._replace(draft=share.draft[: share.row.masks.num_legal(share.draft.size)])
