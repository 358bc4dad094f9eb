"""The text of a call's rows as a tensor, for processors, criteria and the caller."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

ROOM = 256
"""Minimum growth of the tensor, in tokens per row. Memory for `max_length` tokens at once may not exist."""


class Emitting(Protocol):
    """The part of a row that a text needs."""

    emitted: list[int]


class TextTensor:
    """Prompts and emitted tokens as a tensor, which is written lazily, when it is read.

    As in plain `generate()`, a row is its padded prompt with the emitted tokens after it. A call without processors
    never writes to the device.
    """

    def __init__(self, prompt_ids: Tensor, rows: Sequence[Emitting], max_length: int, pad_token: int) -> None:
        """prompt_ids: `int64[B, P]`. rows: those whose tokens follow; B of them once all are opened.

        max_length: tokens per row, prompt included. A criterion may set it below P; plain `generate()` still emits one
        token then. pad_token: fills rows that have ended.
        """
        batch, self.prompt_length = prompt_ids.shape
        self._rows = rows
        self._pad_token = pad_token
        self._ids = torch.nn.functional.pad(
            prompt_ids.long(), (0, max(1, min(max_length - self.prompt_length, ROOM))), value=pad_token
        )
        self._num_written = [0] * batch

    def row(self, index: int) -> Tensor:
        """Prompt and emitted tokens of one row, `int64[1, L]`."""
        length = self._write(index)  # may replace the tensor, so it comes first
        return self._ids[index : index + 1, :length]

    def batch(self) -> Tensor:
        """Prompts and emitted tokens of all rows, `int64[B, max L]`, padded after rows that ended early."""
        lengths = [self._write(index) for index in range(len(self._rows))]
        return self._ids[:, : max(lengths)].clone()

    def _write(self, index: int) -> int:
        emitted, start = self._rows[index].emitted, self._num_written[index]
        end = self.prompt_length + len(emitted)
        if end > self._ids.shape[1]:
            room = end + max(ROOM, end // 4)
            self._ids = torch.nn.functional.pad(self._ids, (0, room - self._ids.shape[1]), value=self._pad_token)
        if start < len(emitted):
            new = torch.tensor(emitted[start:], dtype=self._ids.dtype, device=self._ids.device)
            self._ids[index, self.prompt_length + start : end] = new
            self._num_written[index] = len(emitted)
        return end
