"""What passes cost, by model; kept over a restart for the same model on the same machine."""

import hashlib
import json
import platform
import threading
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ngramspec.decoding import MeasuredCosts
from ngramspec.drafting import whole_file
from ngramspec.hf.seam import attention_of
from ngramspec.hf.types import Model

_CHANGES_NOTHING = ("transformers_version", "_name_or_path")


class CostTables:
    """The costs of each model's passes; safe to share between threads."""

    def __init__(self) -> None:
        """Nothing measured."""
        self._measured: WeakKeyDictionary[Model, MeasuredCosts] = WeakKeyDictionary()
        self._saved: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def of(self, model: Model) -> MeasuredCosts:
        """The costs of `model`; new ones start with the saved table that fits it and this machine, if one does."""
        with self._lock:
            costs = self._measured.get(model)
            if costs is None:
                saved = self._saved.get(fingerprint(model)) if self._saved else None
                costs = MeasuredCosts() if saved is None else MeasuredCosts.of_state(saved)
                self._measured[model] = costs
            return costs

    def save(self, path: Path) -> None:
        """Write all tables, and those that were loaded and have not been used."""
        with self._lock:
            tables = self._saved | {fingerprint(model): costs.state() for model, costs in self._measured.items()}
        whole_file.write(path, whole_file.COSTS, {"tables": tables})

    def load(self, path: Path) -> None:
        """Start models that have made no pass yet with what `save` wrote."""
        header, _ = whole_file.read(path, whole_file.COSTS)
        with self._lock:
            self._saved |= header["tables"]


def fingerprint(model: Model) -> str:
    """What a pass's cost depends on: the model's shape and kind of numbers, the device, and who computes."""
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
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
