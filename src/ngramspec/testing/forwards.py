"""Observes a model's forward passes from outside, whatever loop makes them; the rest is the loop's own time.

Custom hooks would also work, but a model with unknown hooks is tried before it is drafted for. These are known.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ngramspec.hf.types import Model

Clock = Callable[[], float]


@dataclass(slots=True)
class Forwards:
    """When each forward pass started and ended, in seconds."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    @property
    def num_decode_passes(self) -> int:
        """Passes after the first, which reads the prompt."""
        return len(self.ends) - 1

    @property
    def decode_seconds(self) -> float:
        """Time within the passes after the first."""
        return sum(self.ends[1:]) - sum(self.starts[1:])


@contextmanager
def timed_forwards(model: Model, clock: Clock) -> Iterator[Forwards]:
    """Record the forward passes of `model` within the block."""
    forwards = Forwards()
    hooks = (
        model.register_forward_pre_hook(lambda *_: forwards.starts.append(clock())),
        model.register_forward_hook(lambda *_: forwards.ends.append(clock())),
    )
    try:
        yield forwards
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def after_each_pass(model: Model, call: Callable[[], object]) -> Iterator[None]:
    """Call `call` after each forward pass of `model` within the block."""

    def note(*_: object) -> None:
        call()

    hook = model.register_forward_hook(note)
    try:
        yield
    finally:
        hook.remove()
