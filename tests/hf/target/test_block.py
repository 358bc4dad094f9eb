"""The rectangle that a pass reads, and its mask, against slow and obvious twins."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.hf.target.attention_mask import additive_mask, attention_mask
from ngramspec.hf.target.block import Block, BlockRow, make_block


@st.composite
def rows(draw: st.DrawFn) -> BlockRow:
    """A row with some tokens cached, some pending, some drafted; possibly none of them, as a finished row has."""
    num_pending, num_drafted = draw(st.integers(0, 6)), draw(st.integers(0, 5))
    tokens = np.arange(100, 100 + num_pending + num_drafted, dtype=np.int32)
    position = draw(st.integers(max(0, num_pending - 1), 50))
    positions = draw(st.none() | st.lists(st.integers(0, 50), min_size=num_pending, max_size=num_pending))
    return BlockRow(
        num_cached=draw(st.integers(0, 20)),
        pending=tokens[:num_pending],
        draft=tokens[num_pending:],
        position=positions[-1] if positions else position,
        positions=None if positions is None else np.array(positions, np.int64),
    )


def positions_of(row: BlockRow) -> list[int]:
    """Position ids of the pending tokens, given or counted, and of the draft."""
    pending = range(row.position + 1 - row.pending.size, row.position + 1)
    given = pending if row.positions is None else row.positions.tolist()
    return [*given, *range(row.position + 1, row.position + 1 + row.draft.size)]


blocks = st.lists(rows(), min_size=1, max_size=5).filter(lambda some: max(row.width for row in some) > 0)


@given(some=blocks)
def test_tokens_stand_at_the_right_in_order_and_the_last_columns_serve_every_draft(some: list[BlockRow]) -> None:
    block = make_block(some)
    for index, row in enumerate(some):
        tokens = [*row.pending, *row.draft]
        width = block.width
        assert tokens == block.inputs[0, index, width - len(tokens) :].tolist()
        assert positions_of(row) == block.inputs[1, index, width - len(tokens) :].tolist()
        assert block.inputs[1].min() >= 0
        assert block.fills[index] == width - len(tokens)
        assert row.draft.size + 1 <= block.num_logits


@given(some=blocks)
def test_tokens_go_to_the_slots_behind_the_cached_ones_and_the_fill_behind_the_tokens(some: list[BlockRow]) -> None:
    block = make_block(some)
    width = block.width
    for row, slots, fill in zip(some, block.inputs[2], block.fills, strict=True):
        assert list(range(row.num_cached, row.num_cached + row.width)) == slots[fill:].tolist()
        assert list(range(row.num_cached + row.width, row.num_cached + width)) == slots[:fill].tolist()
        assert max(slots) < block.extent


@given(some=blocks)
def test_a_common_run_of_slots_is_told_only_where_there_is_one_and_wherever_no_row_is_filled(
    some: list[BlockRow],
) -> None:
    block = make_block(some)
    starts = {row.num_cached for row in some}
    if block.first is not None:
        run = list(range(block.first, block.extent))
        assert [run] * len(some) == block.inputs[2].tolist()
    assert (block.first is not None) == (len(starts) == 1 and not any(block.fills))


def slow_mask(block: Block, valid: np.ndarray | None, window: int | None) -> list[list[list[bool]]]:
    """Slot by slot: not later than the query's own, not padding, not before the window."""
    seen = []
    for row, slots in enumerate(block.inputs[2].tolist()):
        seen.append(
            [
                [
                    key <= query
                    and (valid is None or bool(valid[row, key]))
                    and (window is None or query - key < window)
                    for key in range(block.extent)
                ]
                for query in slots
            ]
        )
    return seen


@given(some=blocks, window=st.none() | st.integers(1, 9), padded=st.booleans(), seed=st.integers(0, 99))
def test_the_mask_is_what_a_triple_loop_says(some: list[BlockRow], window: int | None, padded: bool, seed: int) -> None:
    block = make_block(some)
    valid = np.random.default_rng(seed).random((len(some), block.extent)) < 0.7 if padded else None
    tensor = None if valid is None else torch.from_numpy(valid)
    mask = attention_mask(torch.from_numpy(block.inputs[2]), block.extent, tensor, window)
    assert (len(some), 1, block.width, block.extent) == mask.shape
    assert slow_mask(block, valid, window) == mask[:, 0].tolist()


@given(some=blocks, seed=st.integers(0, 99))
def test_the_additive_mask_hides_the_same_slots_and_never_makes_an_empty_row(some: list[BlockRow], seed: int) -> None:
    block = make_block(some)
    valid = torch.rand((len(some), block.extent), generator=torch.Generator().manual_seed(seed)) < 0.4
    seen = attention_mask(torch.from_numpy(block.inputs[2]), block.extent, valid, None)
    added = additive_mask(seen, torch.float32)
    assert torch.isfinite(added).all()
    assert (added == 0).any(dim=-1).all()
    some_seen = seen.any(dim=-1, keepdim=True).expand_as(seen)
    assert torch.equal(seen[some_seen], (added == 0)[some_seen])
