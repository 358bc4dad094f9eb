"""The order in which the target's choices are read from a pass: three orders, one acceptance rule
(`decoding/commit.py`).

- at once (greedy, nothing reads the text): one argmax over all rows and positions. If no code of the caller's runs and
  no choice ends the row, the choices are settled: committed without a call for each.
- row by row (a single row, or nothing depends on other rows): each row walks down its own draft.
- in step (a batch with an unknown processor or criterion, or with recorded scores): position j of all rows together,
  with plain's `[B, L]` arguments; the pass ends where the first row leaves its draft, or ends.
"""

from collections.abc import Mapping, Sequence

from ngramspec.decoding import Choices, Plan, Settled, TreeChoices
from ngramspec.decoding.row import common_length
from ngramspec.hf.choice import masks
from ngramspec.hf.choice.masks import MaskThreads, RowMasks
from ngramspec.hf.rows.at_once import all_at_once
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.in_step import InStep
from ngramspec.hf.rows.layout import NO_TREES, Layout
from ngramspec.hf.rows.logits import PassLogits, RowLogits
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.rows.row_by_row import GuardedTree, KeepingErrors, RowByRow, WithTree


def begin(plans: Sequence[Plan], layouts: Mapping[int, Layout] = NO_TREES) -> None:
    """Before the forward pass, start to fill the masks of guarded rows; in trees along the surest path.

    layouts: by number, of the drafts that branch.
    """
    by_threads: dict[MaskThreads, list[tuple[RowMasks, list[int]]]] = {}
    for number, plan in enumerate(plans):
        row = plan.row
        if row.steering is not None and isinstance(row, ModelRow) and row.masks and not row.ended:
            draft = layouts[number].surest if number in layouts else plan.draft.tokens.tolist()
            by_threads.setdefault(call_of(row).threads, []).append((row.masks, draft))
    for threads, drafted in by_threads.items():
        masks.begin(drafted, threads)


def choices_of(logits: PassLogits) -> tuple[list[Choices], list[Settled], list[TreeChoices]]:
    """The choices of a pass: those of each call's rows together, in the call's order, and apart those that are settled.

    Rows with trees come last; they advance alone.
    """
    settled: list[Settled] = []
    argmax = logits.chosen() if any(call_of(row).is_bare for row in logits.rows) else []
    by_call: dict[Call, list[RowLogits]] = {}
    shares = zip(logits.rows, logits.drafts, logits.lines, logits.starts, strict=True)
    for number, (row, draft, line, start) in enumerate(shares):
        call, layout = call_of(row), logits.layouts.get(number)
        is_guarded = layout is None and row.masks and not row.ended
        legal = draft[: row.masks.num_legal(len(draft))] if is_guarded else draft
        if call.is_bare:
            chosen = argmax[line][start : start + len(legal) + 1]
            path, emitted = legal, chosen
            if layout is not None:
                emitted = layout.walked(chosen)
                path = emitted[:-1]
            is_masked = not row.masks or layout is None or _is_sure(row, layout, path)
            if is_masked and _is_settled(row, path, emitted):
                settled.append((row, path, emitted))
                continue
        by_call.setdefault(call, []).append(RowLogits(row, legal, logits, line, start, layout))
    choices: list[Choices] = []
    trees: list[TreeChoices] = []
    for call, own in by_call.items():
        for share, each in zip(own, _of_call(call, own), strict=False):  # rows in step are one item, and have no trees
            if share.layout is None:
                choices.append(each)
            else:
                trees.append((GuardedTree if share.row.masks else WithTree)(each, share.layout))
    return choices, settled, trees


def _is_settled(row: ModelRow, draft: Sequence[int], chosen: Sequence[int]) -> bool:
    """Whether no argmax in `chosen` could end the row, and its guards allow those that will be committed."""
    if len(chosen) >= row.remaining or not row.stops.eos_tokens.isdisjoint(chosen):
        return False
    return not row.masks or row.masks.allow_all(chosen[: common_length(draft, chosen) + 1])


def _is_sure(row: ModelRow, layout: Layout, path: Sequence[int]) -> bool:
    """Whether a walk stayed on the surest path of its tree, along which masks are filled in advance."""
    return path == layout.surest[: len(path)] and row.masks.covers(len(path))


def _lacks_masks(share: RowLogits) -> bool:
    """Whether there are nodes whose masks are filled only when a walk reaches them."""
    return share.layout is not None and bool(share.row.masks)


def _of_call(call: Call, shares: Sequence[RowLogits]) -> Sequence[Choices]:
    if call.in_step:
        return [InStep(call, shares)]
    is_at_once = call.is_greedy_at_once and not (call.processors.others and any(map(_lacks_masks, shares)))
    alone = all_at_once(call, shares) if is_at_once else [RowByRow(call, share) for share in shares]
    return [KeepingErrors(choices) for choices in alone] if call.keeps_errors else alone


def call_of(row: ModelRow) -> Call:
    """The call of a row, typed."""
    assert isinstance(row.call, Call)
    return row.call
