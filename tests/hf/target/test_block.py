"""The rectangle that a pass reads, and its mask, against slow and obvious versions."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting import ROOT
from ngramspec.hf.rows.layout import Layout, layout_of
from ngramspec.hf.target.attention_mask import additive_mask, attention_mask, mask_branches
from ngramspec.hf.target.block import Block, make_block
from tests.drafting.test_tree import trees


class Read(NamedTuple):
    """What one row of a pass reads: `tokens` from slot `start` on; the first ones at the positions `given`."""

    tokens: list[int]
    start: int
    shift: int
    given: list[int]


@st.composite
def rows(draw: st.DrawFn) -> Read:
    """A row with some tokens cached, and some to be read; possibly none of them, as a finished row has."""
    size, start = draw(st.integers(0, 11)), draw(st.integers(0, 20))
    given = draw(st.lists(st.integers(0, 50), max_size=size))
    return Read(list(range(100, 100 + size)), start, draw(st.integers(-start, 30)), given)


def block_of(some: list[Read], num_logits: int = 1) -> Block:
    given = {line: np.array(row.given, np.int64) for line, row in enumerate(some) if row.given}
    tokens, starts, shifts, _ = zip(*some, strict=True)
    return make_block(tokens, starts, shifts, num_logits, given)


def positions_of(row: Read) -> list[int]:
    """Position ids of the tokens, given or counted on from the slot."""
    counted = [row.start + number + row.shift for number in range(len(row.tokens))]
    return row.given + counted[len(row.given) :]


blocks = st.lists(rows(), min_size=1, max_size=5).filter(lambda some: max(len(row.tokens) for row in some) > 0)


@given(some=blocks)
def test_tokens_stand_at_the_right_in_order_so_the_last_columns_serve_every_draft(some: list[Read]) -> None:
    block = block_of(some)
    assert max(len(row.tokens) for row in some) == block.width
    for index, row in enumerate(some):
        fill = block.width - len(row.tokens)
        assert row.tokens == block.inputs[0, index, fill:].tolist()
        assert positions_of(row) == block.inputs[1, index, fill:].tolist()
        assert block.inputs[1].min() >= 0
        assert block.fills[index] == fill


@given(some=blocks)
def test_tokens_go_to_the_slots_after_the_cached_ones_and_the_fill_after_the_tokens(some: list[Read]) -> None:
    block = block_of(some)
    width = block.width
    for row, slots, fill in zip(some, block.inputs[2], block.fills, strict=True):
        end = row.start + len(row.tokens)
        assert list(range(row.start, end)) == slots[fill:].tolist()
        assert list(range(end, row.start + width)) == slots[:fill].tolist()
        assert max(slots) < block.extent


@given(some=blocks)
def test_a_common_run_of_slots_is_told_only_where_there_is_one_and_wherever_no_row_is_filled(some: list[Read]) -> None:
    block = block_of(some)
    starts = {row.start for row in some}
    if block.first is not None:
        run = list(range(block.first, block.extent))
        assert [run] * len(some) == block.inputs[2].tolist()
    assert (block.first is not None) == (len(starts) == 1 and not any(block.fills))


@st.composite
def branching(draw: st.DrawFn) -> tuple[list[Read], dict[int, Layout]]:
    """Rows, of which some end with the nodes of a tree."""
    some, layouts = [], {}
    for row, read in enumerate(draw(blocks)):
        layout = layout_of(draw(trees()))
        if layout is not None:
            layouts[row] = layout
        some.append(read if layout is None else read._replace(tokens=[100, *layout.tokens], given=[]))
    return some, layouts


@given(drawn=branching(), window=st.none() | st.integers(1, 6))
def test_a_node_of_a_tree_is_read_as_the_end_of_its_path(
    drawn: tuple[list[Read], dict[int, Layout]], window: int | None
) -> None:
    """It sees what it would see if its path were the whole draft, at the position that it would have."""
    some, layouts = drawn
    block = make_block([r.tokens for r in some], [r.start for r in some], [r.shift for r in some], 1, None, layouts)
    reached = torch.from_numpy(block.inputs[-1])
    seen = attention_mask(reached, block.extent, None, window)
    mask_branches(seen, block.branches, window)
    for row, read in enumerate(some):
        if row not in layouts:
            alone = attention_mask(torch.from_numpy(block.inputs[2]), block.extent, None, window)
            assert torch.equal(alone[row], seen[row])
            continue
        layout = layouts[row]
        for node in range(len(layout.tokens)):
            path = [node]
            while (parent := layout.tree.parents.item(path[0])) != ROOT:
                path.insert(0, parent)
            slots = [*range(read.start + 1), *(read.start + 1 + each for each in path)]
            near = slots if window is None else slots[-window:]
            column = block.width - len(layout.tokens) + node
            assert near == seen[row, 0, column].nonzero()[:, 0].tolist()
            assert read.start + len(path) + read.shift == block.inputs[1, row, column]
            assert read.start + 1 + node == block.inputs[2, row, column]


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
def test_the_mask_is_what_a_triple_loop_says(some: list[Read], window: int | None, padded: bool, seed: int) -> None:
    block = block_of(some)
    valid = np.random.default_rng(seed).random((len(some), block.extent)) < 0.7 if padded else None
    tensor = None if valid is None else torch.from_numpy(valid)
    mask = attention_mask(torch.from_numpy(block.inputs[2]), block.extent, tensor, window)
    assert (len(some), 1, block.width, block.extent) == mask.shape
    assert slow_mask(block, valid, window) == mask[:, 0].tolist()


@given(some=blocks, seed=st.integers(0, 99))
def test_the_additive_mask_hides_the_same_slots_and_never_makes_an_empty_row(some: list[Read], seed: int) -> None:
    block = block_of(some)
    valid = torch.rand((len(some), block.extent), generator=torch.Generator().manual_seed(seed)) < 0.4
    seen = attention_mask(torch.from_numpy(block.inputs[2]), block.extent, valid, None)
    added = additive_mask(seen, torch.float32)
    assert torch.isfinite(added).all()
    assert (added == 0).any(dim=-1).all()
    some_seen = seen.any(dim=-1, keepdim=True).expand_as(seen)
    assert torch.equal(seen[some_seen], (added == 0)[some_seen])
