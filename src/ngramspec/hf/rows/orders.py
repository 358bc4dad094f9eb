"""In which order the target's choices are read off a pass: three orders, one rule of acceptance (`decoding/commit.py`).

- at once (greedy, nothing looks at the text): one argmax over all rows and positions. Where besides nobody is called,
  and none of them ends the row, the choices are settled: committed as they are, without being asked for.
- row by row (a single row, or nothing looks across rows): each row walks down its own draft.
- in step (a batch with an unknown processor or criterion, or with recorded scores): position j of all rows together,
  with plain's `[B, L]` arguments; the pass ends where the first row leaves its draft, or ends.
"""

from collections.abc import Sequence

from ngramspec.decoding import Choices, Plan, Settled
from ngramspec.hf.rows.at_once import all_at_once
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.in_step import InStep
from ngramspec.hf.rows.logits import PassLogits, RowLogits
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.rows.row_by_row import KeepingErrors, RowByRow


def begin(plans: Sequence[Plan]) -> None:
    """Before the forward pass: start to fill the masks of guarded rows."""
    for plan in plans:
        row = plan.row
        if row.steering is not None and isinstance(row, ModelRow) and row.masks and not row.ended:
            row.masks.begin(plan.draft.tokens, call_of(row).threads)


def choices_of(logits: PassLogits) -> tuple[list[Choices], list[Settled]]:
    """What the logits of a pass choose: each call's rows together, in its order, but those that are settled."""
    settled: list[Settled] = []
    argmax = logits.chosen() if any(call_of(row).is_bare for row in logits.rows) else []
    by_call: dict[Call, list[RowLogits]] = {}
    for row, draft, line, start in zip(logits.rows, logits.drafts, logits.lines, logits.starts, strict=True):
        call = call_of(row)
        if call.is_bare:
            chosen = argmax[line][start : start + len(draft) + 1]
            if len(chosen) < row.remaining and row.stops.eos_tokens.isdisjoint(chosen):
                settled.append((row, draft, chosen))
                continue
        share = RowLogits(row, draft, logits, line, start)
        by_call.setdefault(call, []).append(_judged(share) if row.masks and not row.ended else share)
    choices: list[Choices] = []
    for call, own in by_call.items():
        choices += _of_call(call, own)
    return choices, settled


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
    return share._replace(draft=share.draft[: share.row.masks.num_legal(len(share.draft))])
