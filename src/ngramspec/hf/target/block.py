"""The rectangle of tokens that one forward pass reads, from rows of different lengths.

Columns are right-aligned, so the last K + 1 of them are, in every row, the last pending token and the draft, and
`logits_to_keep = K + 1` serves all rows:

    row 0    p p p p p p d d d        pending tokens p, draft d
    row 1    . . p p p p p p d        fill "." on the left

Keys go to the slots after the row's cached ones. The fill's keys go to the slots after that of the row's last column,
where the next pass overwrites them, so a block needs no spare slot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ngramspec.hf.rows.layout import NO_TREES, Layout
from ngramspec.hf.rows.row import IntArray, ModelRow


class TreeRow(NamedTuple):
    """A row that reads a tree. row: its index in the block. first: the slot of the tree's first column."""

    row: int
    first: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class Block:
    """What a forward pass reads, on the CPU.

    inputs: `int64[3, R, Q]`: token ids, position ids and slots, in one copy to the device. If a row reads a tree,
        `int64[4, R, Q]`, with the slots up to which columns see: a node's depth decides that, not its column.
    fills: per row, the columns of fill on its left.
    extent: slots up to the last one written.
    first: the first written slot, if all rows write the same run of slots, else None.
    num_logits: the last columns whose logits are needed, K + 1 for the longest draft.
    branches: the rows whose last columns are a tree.
    """

    inputs: IntArray
    fills: list[int]
    extent: int
    first: int | None
    num_logits: int
    branches: Sequence[TreeRow] = ()

    @property
    def width(self) -> int:
        """Q."""
        width: int = self.inputs.shape[2]
        return width


def block_of(
    rows: Sequence[ModelRow],
    tokens: Sequence[list[int]],
    num_logits: int,
    layouts: Mapping[int, Layout] = NO_TREES,
    least_width: int = 0,
) -> Block:
    """The block in which each of `rows` reads its `tokens`, from its first free slot on.

    layouts: by index in `rows`, of the trees that their tokens end with. least_width: minimum number of columns.
    """
    starts = [row.num_cached for row in rows]
    given = {
        line: row.positions[start : start + len(read)]
        for line, (row, start, read) in enumerate(zip(rows, starts, tokens, strict=True))
        if start < row.num_prompt_slots
    }
    return make_block(tokens, starts, [row.shift for row in rows], num_logits, given, layouts, least_width)


def make_block(
    tokens: Sequence[list[int]],
    starts: Sequence[int],
    shifts: Sequence[int],
    num_logits: int,
    given: Mapping[int, IntArray] | None = None,
    layouts: Mapping[int, Layout] = NO_TREES,
    least_width: int = 0,
) -> Block:
    """Lay out the rows of one pass as a rectangle.

    tokens: what each row reads. starts: the slot of its first token. shifts: position id minus slot.
    given: by row, the position ids of its first tokens, if they are not slot plus shift.
    layouts: by row, of the tree that its tokens end with. least_width: minimum number of columns.

    Built from lists, with one array at the end. For one row as for thirty-two that is faster than a dozen small numpy
    operations, whose code and data a forward pass has evicted from the processor's caches.
    """
    widths = [len(read) for read in tokens]
    width = max(least_width, *widths)
    fills = [width - own for own in widths]
    token_ids: list[int] = []
    positions: list[int] = []
    slots: list[int] = []
    for read, start, shift, fill in zip(tokens, starts, shifts, fills, strict=True):
        end = start + len(read)
        if fill:  # nothing depends on its positions, but the model must know them
            token_ids += [0] * fill
            positions += [0] * fill
            slots += range(end, end + fill)
        token_ids += read
        positions += range(start + shift, end + shift)
        slots += range(start, end)
    inputs = np.array([token_ids, positions, slots], np.int64).reshape(3, len(tokens), width)
    for row, own in (given or {}).items():
        inputs[1, row, fills[row] : fills[row] + own.size] = own
    branches = [TreeRow(row, starts[row] + widths[row] - len(own.tokens), own) for row, own in layouts.items()]
    if branches:
        inputs = _by_depth(inputs, shifts, branches)
    return Block(
        inputs=inputs,
        fills=fills,
        extent=max(starts) + width,
        first=starts[0] if not any(fills) and len(set(starts)) == 1 else None,
        num_logits=num_logits,
        branches=branches,
    )


def _by_depth(inputs: IntArray, shifts: Sequence[int], branches: Sequence[TreeRow]) -> IntArray:
    """`inputs` with nodes' positions by depth, and the slots up to which each column sees."""
    inputs = np.concatenate([inputs, inputs[2:]])
    for row, first, layout in branches:
        reached = first + np.array(layout.depths)
        inputs[1, row, -reached.size :] = reached + shifts[row]
        inputs[3, row, -reached.size :] = reached
    return inputs
