"""Recordings, written: one line of JSON for each answer, which `read_traces` reads."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ngramspec.errors import TraceError
from ngramspec.files.appending import Appended
from ngramspec.replay.alternatives import LEAST_LOGPROB
from ngramspec.replay.traces import MAX_LINE_BYTES

_FIRST = b'{"prompt_ids": '
"""Each line begins with it, so that the beginning of one is known for what it is."""


class Recording:
    """A file of recorded requests, to which each answer is appended once it has ended.

    Appended and not replaced as a whole: a service writes it for days, and a killed one has lost an answer at most.
    """

    def __init__(self, path: Path) -> None:
        """With a name that ends in .gz, each line is compressed by itself, and the file must be new or empty.

        Raises OSError where `Appended` does.
        """
        self._is_gzipped = path.suffix == ".gz"
        self._file = Appended(path, b"" if self._is_gzipped else _FIRST)

    def write(
        self,
        prompt: Sequence[int],
        output: Sequence[int],
        top_ids: npt.NDArray[np.int32],
        top_logprobs: npt.NDArray[np.float32],
        segment: str | None = None,
    ) -> None:
        """Append an answer of n tokens.

        top_ids, top_logprobs: `[n, k]`, the likeliest tokens where each was chosen, best first, and the natural
        logarithms of their probabilities, which are rounded to 0.01; impossible tokens get the least one that is read.
        Raises ValueError for other shapes, TraceError for a line that is too long to be read, OSError if the system
        refuses.
        """
        if not len(top_ids) == len(top_logprobs) == len(output):
            raise ValueError(
                f"top_ids and top_logprobs must have a line for each of the {len(output)} tokens, got"
                f" {len(top_ids)} and {len(top_logprobs)}"
            )
        least = np.nan_to_num(top_logprobs.astype(np.float64), nan=LEAST_LOGPROB)
        row = {
            "prompt_ids": list(prompt),
            "output_ids": list(output),
            "output_top_ids": top_ids.tolist(),
            "output_top_logprobs": np.clip(least, LEAST_LOGPROB, 0.0).round(2).tolist(),
        }
        line = json.dumps(row if segment is None else row | {"segment": segment}).encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise TraceError(
                f"a recorded answer must take at most {MAX_LINE_BYTES} bytes, got {len(line)}: shorten prompt or answer"
            )
        self._file.append(gzip.compress(line, mtime=0) if self._is_gzipped else line)

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()

    def __enter__(self) -> "Recording":
        """Open until the `with` block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """See `close`."""
        self.close()
