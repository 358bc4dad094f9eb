"""A model's forward passes, timed from outside: whatever loop calls them, the rest is the loop's own time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Clock = Callable[[], float]


@dataclass(slots=True)
class Forwards:
    """When each forward pass started and ended, in seconds."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    @property
    def num_decode_passes(self) -> int:
        """Passes behind the first, which reads the prompt."""
        return len(self.ends) - 1

    @property
    def decode_seconds(self) -> float:
        """Time within the passes behind the first."""
        return sum(self.ends[1:]) - sum(self.starts[1:])


@contextmanager
def timed_forwards(model: Any, clock: Clock) -> Iterator[Forwards]:
    """Note the forward passes that `model` makes meanwhile."""
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
