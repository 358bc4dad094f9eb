"""Streaming: the `put` calls of plain `generate()`, and always one `end`."""

from collections.abc import Sequence
from typing import Protocol

import torch

from ngramspec.hf.seam import BaseStreamer


class Streamed(Protocol):
    """The part of a row that a stream needs."""

    emitted: list[int]
    ended: bool


class Stream(BaseStreamer):
    """Passes tokens to a streamer column by column, although rows advance by different amounts.

    It is a streamer itself, for transformers' own loops.

    Plain `generate()` puts `int64[B]` per position. A column is put once every row has a token there or has ended.
    `end` is called exactly once, also when decoding raises, so a consumer in another thread never hangs.
    """

    def __init__(self, streamer: BaseStreamer) -> None:
        self._streamer = streamer
        self._num_put = 0
        self._ended = False

    def put(self, value: torch.Tensor) -> None:
        """Pass tokens on unchanged: the prompt `int64[B, P]`, or what plain decoding emits."""
        self._streamer.put(value)

    def flush(self, rows: Sequence[Streamed], pad_token: int) -> None:
        """Put the columns that are complete by now."""
        longest = max(len(row.emitted) for row in rows)
        complete = min((len(row.emitted) for row in rows if not row.ended), default=longest)
        for column in range(self._num_put, complete):
            tokens = [row.emitted[column] if column < len(row.emitted) else pad_token for row in rows]
            self.put(torch.tensor(tokens, device="cpu"))
        self._num_put = max(self._num_put, complete)

    def end(self) -> None:
        """End the streamer, once."""
        if not self._ended:
            self._ended = True
            self._streamer.end()
