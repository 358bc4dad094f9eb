"""A machine with a model on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ngramspec.decoding import PassPrices
from ngramspec.decoding.calibration_file import Calibration, MeasuredPass
from ngramspec.decoding.machine_prices import FREE, HostPrices


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a model on it. max_rows: answers that it decodes at once; further requests wait.

    max_prompt_tokens: most tokens of a prompt that are read for each token that other rows emit (`Engine`).
    table: what the budget begins with (`MeasuredCosts.state`), as in `ngramspec serve --costs`; None: with nothing.
    measured: the passes to which the prices were fitted, if they are known (`CorrectedPasses`).
    """

    passes: PassPrices
    host: HostPrices = FREE
    max_rows: int = 256
    max_prompt_tokens: int = 256
    table: Mapping[str, Any] | None = None
    measured: Sequence[MeasuredPass] = ()

    @classmethod
    def of(cls, found: Calibration, max_rows: int = 256) -> "Machine":
        """The calibrated one."""
        return cls(found.passes, found.host, max_rows, table=found.table, measured=found.measured)
