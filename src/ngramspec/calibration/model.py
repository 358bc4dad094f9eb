"""A model on this machine, calibrated."""

import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import torch

from ngramspec.calibration.fitting import errors, fitted_passes
from ngramspec.calibration.guarding import guard_prices
from ngramspec.calibration.measuring import PassRecorder, host_seconds, measured_passes, request_seconds
from ngramspec.decoding import Clock, DraftingPrices, HostPrices
from ngramspec.decoding.calibration_file import Calibration
from ngramspec.guards import Vocabulary
from ngramspec.hf.entry.cost_tables import fingerprint
from ngramspec.hf.facts.limits import max_position

Shapes = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Rows, columns and tokens of context of the passes to measure, in all combinations."""

BATCHES, COLUMNS, CONTEXTS = (1, 2, 4, 8), (1, 2, 5, 17, 49), (32, 256, 1024)
REPEATS = 5
HOST_PASSES = 24
REQUESTS = 24
GUARD_PASSES = 48


def num_reports(batches: Sequence[int], columns: Sequence[int], contexts: Sequence[int]) -> int:
    """How often `calibrate` reports its progress."""
    return len(batches) * len(columns) * len(contexts) * (REPEATS + 1)


def contexts_of(model: Any, contexts: Sequence[int]) -> list[int]:
    """Those of `contexts` that fit the model's positions together with what is decoded after them; at least one."""
    limit = max_position(model)
    most = max(COLUMNS) * (REPEATS + 2) + len(COLUMNS) * (REPEATS + 1)
    return [context for context in contexts if limit is None or context + most <= limit] or list(contexts[:1])


def calibrate(
    model: Any,
    name: str,
    shapes: Shapes,
    *,
    vocabulary: Vocabulary | None = None,
    progress: Callable[[], None] = lambda: None,
    clock: Clock = time.perf_counter,
) -> Calibration:
    """Measure passes of `model` by rows, columns and tokens of context, and the host's time beside them; fit both.

    name: the model's display name. vocabulary: of its tokenizer, to measure what guards cost; without it, guards are
    priced 0. progress: called now and then (`num_reports`). clock: in seconds.
    """
    recorder = PassRecorder()
    measured = measured_passes(model, recorder, shapes, REPEATS, clock, progress)
    passes = fitted_passes(measured)
    return Calibration(
        model=name,
        hardware=_hardware(model),
        dtype=str(model.dtype).removeprefix("torch."),
        versions={each: version(each) for each in ("ngramspec", "torch", "transformers")}
        | {"python": platform.python_version()},
        fingerprint=fingerprint(model),
        passes=passes,
        host=_host(model, vocabulary, max(shapes[0]), clock),
        fit_error=errors(passes, measured),
        measured=measured,
        table=recorder.state(),
    )


def _host(model: Any, vocabulary: Vocabulary | None, rows: int, clock: Clock) -> HostPrices:
    """Prices from passes of one row and of many: the loop without drafts, and what drafts and guards add to it."""
    loop_one, loop_many = (host_seconds(model, batch, HOST_PASSES, clock, drafts=False) for batch in (1, rows))
    one, many = (host_seconds(model, batch, HOST_PASSES, clock, drafts=True) for batch in (1, rows))
    loop_of_row = max(0.0, (loop_many - loop_one) / max(rows - 1, 1))
    of_row = max(0.0, (many - loop_many - one + loop_one) / max(rows - 1, 1))
    steered, masks = DraftingPrices(), DraftingPrices()
    if vocabulary is not None:
        steered, masks = guard_prices(model, vocabulary, rows, GUARD_PASSES, clock)
    return HostPrices(
        steered=steered,
        masks=masks,
        loop_of_pass=max(0.0, loop_one - loop_of_row),
        loop_of_row=loop_of_row,
        blind=DraftingPrices(of_pass=max(0.0, one - loop_one - of_row), of_row=of_row),
        of_request=request_seconds(model, REQUESTS, clock),
    )


def _hardware(model: Any) -> str:
    if model.device.type == "cuda":
        return torch.cuda.get_device_name(model.device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
