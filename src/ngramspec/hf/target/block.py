"""The rectangle of tokens that one forward pass reads, made from rows of different lengths.

Columns are right-aligned, so the last K + 1 of them are, in every row, the last pending token and the draft, and
`logits_to_keep = K + 1` serves all rows:

    row 0    p p p p p p d d d        pending tokens p, draft d
    row 1    . . p p p p p p d        fill "." on the left

A column's key goes to the slot after the row's cached ones. The fill's keys go to the slots after those of the row's
last column, where the next pass overwrites them, so a block needs no spare slot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ngramspec.hf.rows.row import IntArray, ModelRow


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


def block_of(rows: Sequence[ModelRow], tokens: Sequence[list[int]], num_logits: int) -> Block:
    """The block in which each of `rows` reads its `tokens`, from its first free slot on."""
    starts = [row.num_cached for row in rows]
    given = {
        line: row.positions[start : start + len(read)]
        for line, (row, start, read) in enumerate(zip(rows, starts, tokens, strict=True))
        if start < row.num_prompt_slots
    }
    return make_block(tokens, starts, [row.shift for row in rows], num_logits, given)


def make_block(
    tokens: Sequence[list[int]],
    starts: Sequence[int],
    shifts: Sequence[int],
    num_logits: int,
    given: Mapping[int, IntArray] | None = None,
) -> Block:
    """Lay the rows of one pass out as a rectangle.

    tokens: what each row reads. starts: the slot of its first token. shifts: position id minus slot.
    given: by row, the position ids of its first tokens, where they are not slot plus shift.

    Vectorised over rows: a step may take no more host time than plain `generate()` does, whatever the batch size.
    """
    widths = [len(read) for read in tokens]
    width = max(widths)
    fills = [width - own for own in widths]
    positions = [start + shift for start, shift in zip(starts, shifts, strict=True)]
    if width == 1 and not any(fills):  # most passes without drafts: the general way takes three times as long
        inputs = np.array([[read[0] for read in tokens], positions, starts])[:, :, None]
    else:
        columns = np.arange(width) - np.array(fills)[:, None]
        inputs = np.empty((3, len(tokens), width), np.int64)
        token_ids: list[int] = []  # a flat list becomes an array three times as fast as a list of lists
        for fill, read in zip(fills, tokens, strict=True):
            token_ids += [0] * fill + read
        inputs[0] = np.array(token_ids).reshape(len(tokens), width)
        inputs[1:] = np.array([positions, starts])[:, :, None] + columns % width
        inputs[1] *= columns >= 0  # nothing reads the fill's, but the model must know these positions
    for row, own in (given or {}).items():
        inputs[1, row, fills[row] : fills[row] + own.size] = own
    return Block(
        inputs=inputs,
        fills=fills,
        extent=max(starts) + width,
        first=starts[0] if not any(fills) and len(set(starts)) == 1 else None,
        num_logits=num_logits,
    )
