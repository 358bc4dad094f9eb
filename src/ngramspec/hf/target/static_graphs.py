"""Forward passes of fixed shapes: each shape is captured once, and run many times.

torch.compile caches captures by code object, captures dynamic shapes from the second shape on, and gives up after eight
shapes. So each shape gets its own code object, with static shapes; with `mode="reduce-overhead"`, transformers'
default, each becomes a CUDA graph.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch

from ngramspec import forking
from ngramspec.hf.types import Model

MOST_SHAPES = 96
"""Most shapes of a model that are kept. The oldest one is dropped first, and would be captured again."""

SETTLING = 2
"""First passes of a shape, which do not show its price: the first one compiles, the second one records a CUDA graph."""


class PassShape(NamedTuple):
    """The shape of a captured pass: the rows and columns that it reads, and the slots that it attends to."""

    rows: int
    columns: int
    slots: int


@dataclass(slots=True)
class FixedPass:
    """Passes of one shape. num_calls: how many were made."""

    call: Callable[[Model, dict[str, Any]], Any]
    num_calls: int = 0

    def __call__(self, model: Model, inputs: dict[str, Any]) -> Any:
        """The model's output."""
        self.num_calls += 1
        return self.call(model, inputs)

    @property
    def is_settled(self) -> bool:
        """Whether the last pass was past compilation and recording, so that its time counts."""
        return self.num_calls > SETTLING


_passes: WeakKeyDictionary[Model, dict[tuple[PassShape, str], FixedPass]] = WeakKeyDictionary()
_lock = forking.lock()


def fixed_pass(model: Model, shape: PassShape, settings: Mapping[str, Any] | None) -> FixedPass:
    """The passes of `model` of this shape, the same for all calls.

    settings: of `torch.compile`; None: the model is called uncompiled.
    """
    key = shape, repr(settings)
    with _lock:
        passes = _passes.setdefault(model, {})
        if key not in passes:
            if len(passes) >= MOST_SHAPES:
                del passes[next(iter(passes))]
            passes[key] = FixedPass(_as_it_is if settings is None else _captured(shape, settings))
        return passes[key]


def _as_it_is(model: Model, inputs: dict[str, Any]) -> Any:
    return model(**inputs)


def _captured(shape: PassShape, settings: Mapping[str, Any]) -> Callable[[Model, dict[str, Any]], Any]:
    """A pass that is compiled on first use."""

    def read(model: Model, inputs: dict[str, Any]) -> Any:
        return model(**inputs)

    read.__code__ = read.__code__.replace(co_name=f"read_{shape.rows}_{shape.columns}_{shape.slots}")
    compiled: Callable[[Model, dict[str, Any]], Any] = torch.compile(read, **{**settings, "dynamic": False})
    return compiled
