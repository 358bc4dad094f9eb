"""The text of a call as processors and criteria see it, and as the caller gets it back."""

import torch
from torch import Tensor

from ngramspec.hf.streaming import Stream

ROOM = 256
"""Tokens per row by which the tensor grows at least: a limit may be larger than any memory."""


class Text:
    """Prompts and emitted tokens of all rows.

    Plain `generate()` hands processors the padded prompt with the emitted tokens behind it; so does this. Tokens wait
    in lists until somebody asks for the tensor, so a call without processors never writes to the device.
    """

    def __init__(self, prompt_ids: Tensor, max_length: int, pad_token: int, stream: Stream | None) -> None:
        """prompt_ids: `int64[B, P]`. max_length: tokens per row, prompt included. pad_token: fills finished rows.

        A criterion may set a `max_length` below P; plain `generate()` then emits one token all the same.
        """
        batch, self.prompt_length = prompt_ids.shape
        self.pad_token = pad_token
        self.emitted: list[list[int]] = [[] for _ in range(batch)]
        self.finished = [False] * batch
        self._stream = stream
        self._ids = torch.nn.functional.pad(
            prompt_ids.long(), (0, max(1, min(max_length - self.prompt_length, ROOM))), value=pad_token
        )
        self._num_written = [0] * batch

    def append(self, row: int, token: int) -> None:
        """Emit one token."""
        self.emitted[row].append(token)

    def extend(self, row: int, tokens: list[int]) -> None:
        """Emit several tokens."""
        self.emitted[row].extend(tokens)

    def finish(self, row: int) -> None:
        """Note that the row has ended: padding follows."""
        self.finished[row] = True

    def flush(self) -> None:
        """Stream what can be streamed; after the criteria were asked, as plain `generate()` does."""
        if self._stream is not None:
            self._stream.flush(self.emitted, self.finished, self.pad_token)

    def row(self, row: int) -> Tensor:
        """Prompt and emitted tokens of one row, `int64[1, L]`."""
        length = self._write(row)  # may replace the tensor, so it comes first
        return self._ids[row : row + 1, :length]

    def batch(self) -> Tensor:
        """Prompts and emitted tokens of all rows, which must be equally long, `int64[B, L]`."""
        (length,) = {self._write(row) for row in range(len(self.emitted))}
        return self._ids[:, :length].clone()

    def output(self) -> Tensor:
        """What `generate()` returns: `int64[B, max L]`, padded behind rows that ended early."""
        lengths = [self._write(row) for row in range(len(self.emitted))]
        return self._ids[:, : max(lengths)].clone()

    def _write(self, row: int) -> int:
        emitted, start = self.emitted[row], self._num_written[row]
        end = self.prompt_length + len(emitted)
        if end > self._ids.shape[1]:
            room = end + max(ROOM, end // 4)
            self._ids = torch.nn.functional.pad(self._ids, (0, room - self._ids.shape[1]), value=self.pad_token)
        if start < len(emitted):
            new = torch.tensor(emitted[start:], dtype=self._ids.dtype, device=self._ids.device)
            self._ids[row, self.prompt_length + start : end] = new
            self._num_written[row] = len(emitted)
        return end
