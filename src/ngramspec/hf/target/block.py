"""The rectangle of tokens that one forward pass reads, made from rows of different lengths.

Columns are right-aligned, so the last K + 1 of them are, in every row, the last pending token and the draft, and
`logits_to_keep = K + 1` serves all rows:

    row 0    p p p p p p d d d        pending tokens p, draft d
    row 1    . . p p p p p p d        fill "." on the left

A column's key goes to the slot after the row's cached ones. The fill's keys go to the slots after those of the row's
last column, where the next pass overwrites them, so a block needs no spare slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ngramspec.drafting.types import Draft, TokenArray
from ngramspec.hf.rows.row import IntArray, ModelRow


class BlockRow(NamedTuple):
    """One row of a pass: `num_cached` tokens are in the cache, `pending` and `draft` are read now.

    position: position id of the last pending token; those of the draft count on from it.
    positions: `int64[P]`, position ids of the pending tokens; None where they count up to `position`.
    """

    num_cached: int
    pending: TokenArray
    draft: TokenArray
    position: int
    positions: IntArray | None = None

    @property
    def width(self) -> int:
        """Columns that the row needs."""
        return self.pending.size + self.draft.size


@dataclass(frozen=True, slots=True)
class Block:
    """What a forward pass reads, on the CPU.

    inputs: `int64[3, R, Q]`: token ids, position ids and slots, in one copy to the device.
    fills: per row, the columns of fill on its left.
    extent: slots up to the last one written.
    first: the first slot written, if all rows write the same run of slots, else None.
    num_logits: the last columns whose logits are needed, K + 1 for the longest draft.
    """

    inputs: IntArray
    fills: list[int]
    extent: int
    first: int | None
    num_logits: int

    @property
    def width(self) -> int:
        """Q."""
        width: int = self.inputs.shape[2]
        return width


def block_row(row: ModelRow, draft: Draft, most_read: int | None = None) -> BlockRow:
    """The row's share of a forward pass. most_read: the most pending tokens that are read, by default all."""
    read = row.pending[:most_read]
    last = row.num_cached + read.size - 1 + row.shift
    if read.size == 1 and row.num_cached >= row.positions.size:
        return BlockRow(row.num_cached, read, draft.tokens, last)
    slots = row.num_cached + np.arange(read.size)
    in_prompt = row.positions[np.minimum(slots, row.positions.size - 1)]
    positions = np.where(slots < row.positions.size, in_prompt, slots + row.shift)
    return BlockRow(row.num_cached, read, draft.tokens, last, positions)


def make_block(rows: Sequence[BlockRow]) -> Block:
    """Lay the rows of one pass out as a rectangle.

    Vectorised over rows: a step may take no more host time than plain `generate()` does, whatever the batch size.
    """
    widths = [row.width for row in rows]
    width = max(widths)
    fills = [width - own for own in widths]
    starts = [row.num_cached for row in rows]
    first_positions = [row.position + 1 - row.pending.size for row in rows]
    tokens = np.concatenate([part for row in rows for part in (row.pending, row.draft)])
    inputs = np.zeros((3, len(rows), width), np.int64)
    if any(fills):
        fill, columns = np.array(fills)[:, None], np.arange(width)
        is_real = columns >= fill
        inputs[0][is_real] = tokens
        inputs[1:] = np.array([first_positions, starts])[:, :, None] + (columns - fill) % width
        inputs[1] *= is_real  # nothing reads the fill's, but the model must know these positions
    else:
        inputs[0] = tokens.reshape(len(rows), width)
        inputs[1:] = np.array([first_positions, starts])[:, :, None] + np.arange(width)
    for row, positions, first in zip(rows, inputs[1], fills, strict=True):
        if row.positions is not None:
            positions[first : first + row.positions.size] = row.positions
    return Block(
        inputs=inputs,
        fills=fills,
        extent=max(starts) + width,
        first=starts[0] if not any(fills) and len(set(starts)) == 1 else None,
        num_logits=max(row.draft.size for row in rows) + 1,
    )
