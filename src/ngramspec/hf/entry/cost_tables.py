"""Costs of passes, by model: shared by all Speculators of a process, and saved across restarts."""

import hashlib
import json
import platform
import time
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ngramspec import forking
from ngramspec.decoding import Clock, MeasuredCosts
from ngramspec.decoding.calibration_file import is_calibration, read_calibration
from ngramspec.decoding.cost_state import checked_tables
from ngramspec.files import whole_file
from ngramspec.hf.seam import attention_of
from ngramspec.hf.types import Model

_CHANGES_NOTHING = ("transformers_version", "_name_or_path")

_measured: WeakKeyDictionary[Model, dict[tuple[Clock, str], MeasuredCosts]] = WeakKeyDictionary()
"""Tables of all Speculators, because costs depend on model and machine. By clock, too, because clocks' seconds differ,
and by the kind of pass (`hf.target.static.passes_of`)."""

_MOST_CLOCKS = 16
"""Most tables per model. A Speculator with a new clock for every call must not leak."""

_lock = forking.lock()


class CostTables:
    """The costs of each model's passes, for one Speculator; safe to share between threads."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        """Start with what other Speculators of this process have measured with `clock`."""
        self._clock = clock
        self._saved: dict[str, dict[str, Any]] = {}

    def of(self, model: Model, passes: str = "") -> MeasuredCosts:
        """The costs of `model`; new ones start with the loaded table for it and this machine, if there is one.

        passes: the kind of its passes; "" for the usual one.
        """
        with _lock:
            by_clock = _measured.setdefault(model, {})
            costs = by_clock.get((self._clock, passes))
            if costs is None:
                while len(by_clock) >= _MOST_CLOCKS:
                    del by_clock[next(iter(by_clock))]
                saved = self._saved.get(fingerprint(model, passes)) if self._saved else None
                costs = MeasuredCosts() if saved is None else MeasuredCosts.of_state(saved)
                by_clock[self._clock, passes] = costs
            return costs

    def save(self, path: Path) -> None:
        """Write all tables of this process, and loaded ones that were not used."""
        with _lock:
            tables = {
                fingerprint(model, passes): costs.state()
                for model, by_clock in _measured.items()
                for (clock, passes), costs in by_clock.items()
                if clock is self._clock
            }
        whole_file.write(path, whole_file.COSTS, {"tables": self._saved | tables})

    def load(self, path: Path, max_bytes: int) -> None:
        """Load what `save` or `ngramspec calibrate` wrote, for models that have made no pass yet."""
        if is_calibration(path, max_bytes):
            found = read_calibration(path)
            self._saved[found.fingerprint] = found.table
            return
        header, _ = whole_file.read(path, whole_file.COSTS, max_bytes)
        try:
            tables = checked_tables(header)
        except ValueError as error:
            raise whole_file.forged(whole_file.COSTS, path, error) from error
        self._saved |= tables


def fingerprint(model: Model, passes: str = "") -> str:
    """A digest of everything that the cost of a pass depends on: the model's shape and dtype, device, threads, torch.

    passes: the kind of pass; "" for the usual one.
    """
    config = {key: value for key, value in model.config.to_dict().items() if key not in _CHANGES_NOTHING}
    device = model.device
    if device.type == "cuda":
        machine: list[object] = [torch.cuda.get_device_name(device)]
    else:
        machine = [device.type, platform.machine(), platform.processor(), torch.get_num_threads()]
    facts = [
        type(model).__name__,
        config,
        str(model.dtype),
        attention_of(model),
        machine,
        torch.__version__,
        *filter(None, [passes]),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
