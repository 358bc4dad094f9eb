"""The same text decoded twice, plainly and with speculation, and the time of each."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    Generate = Callable[[], Tensor]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two outputs, `int64[B, n]` each, and the wall times in seconds."""

    plain: "Tensor"
    speculative: "Tensor"
    plain_seconds: float
    speculative_seconds: float

    def num_identical(self, pad_token: int | None) -> int:
        """Number of rows with the same token ids; `pad_token` pads rows that end before the longest one."""
        from torch.nn.functional import pad

        filler = -1 if pad_token is None else pad_token
        width = max(self.plain.shape[1], self.speculative.shape[1])
        plain, speculative = (
            pad(output, (0, width - output.shape[1]), value=filler) for output in (self.plain, self.speculative)
        )
        return int((plain == speculative).all(dim=1).sum())


def compare(plain: "Generate", speculative: "Generate") -> Comparison:
    """Run both once, plain first, from the same state of torch's random generators."""
    import torch

    with torch.random.fork_rng():
        plain_output, plain_seconds = timed(plain)
    output, seconds = timed(speculative)
    return Comparison(plain_output, output, plain_seconds, seconds)


def timed(generate: "Generate") -> tuple["Tensor", float]:
    """The output, and its time in seconds."""
    start = time.perf_counter()
    output = generate().cpu()  # the copy waits for the device
    return output, time.perf_counter() - start


def why_texts_may_differ(dtype: str) -> str | None:
    """Why texts may differ in half precision; None in full precision, in which they may not."""
    if dtype not in ("float16", "bfloat16"):
        return None
    return (
        f"In {dtype}, a pass over many tokens and a pass over one can round a near-tie of the two best tokens"
        " differently; from there on the texts differ."
    )
