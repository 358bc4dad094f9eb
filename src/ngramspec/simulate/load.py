"""When requests come: a closed loop of clients, or times that do not wait for answers."""

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Arrival(NamedTuple):
    """A request by its number, and when it arrived, in seconds."""

    time: float
    request: int


class Arrivals(Protocol):
    """The requests of one run, each of which comes once."""

    def next_time(self) -> float:
        """When the next request comes, in seconds; infinite if none does before another one ends."""

    def take(self) -> Arrival:
        """That request."""

    def ended(self, now: float) -> None:
        """A request has been answered."""


class ClosedLoop:
    """`concurrency` clients, each of which sends its next request once it has its answer."""

    def __init__(self, num_requests: int, concurrency: int) -> None:
        """Raises ValueError unless `concurrency` is a whole number >= 1."""
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
            raise ValueError(f"concurrency must be a whole number >= 1, got {concurrency!r}: it counts clients")
        self._due = deque(Arrival(0.0, request) for request in range(min(concurrency, num_requests)))
        self._unsent = deque(range(len(self._due), num_requests))

    def next_time(self) -> float:
        """See `Arrivals`."""
        return self._due[0].time if self._due else math.inf

    def take(self) -> Arrival:
        """See `Arrivals`."""
        return self._due.popleft()

    def ended(self, now: float) -> None:
        """See `Arrivals`; its client sends the next one."""
        if self._unsent:
            self._due.append(Arrival(now, self._unsent.popleft()))


class OpenLoop:
    """Requests that come at given times, whether or not earlier ones are answered."""

    def __init__(self, times: Sequence[float]) -> None:
        """times: of each request, in seconds, in any order. Raises ValueError unless they are finite and >= 0."""
        wrong = next((time for time in times if not 0.0 <= time < math.inf), None)
        if wrong is not None:
            raise ValueError(f"a request must come at a finite time >= 0, got {wrong!r} seconds")
        self._due = deque(sorted(Arrival(time, request) for request, time in enumerate(times)))

    def next_time(self) -> float:
        """See `Arrivals`."""
        return self._due[0].time if self._due else math.inf

    def take(self) -> Arrival:
        """See `Arrivals`."""
        return self._due.popleft()

    def ended(self, now: float) -> None:
        """See `Arrivals`; no client waits for it."""


def poisson(num_requests: int, rate: float, seed: int = 0) -> list[float]:
    """Times of independent requests, `rate` per second on average, in rising order.

    Raises ValueError unless rate is a finite number > 0.
    """
    if not 0.0 < rate < math.inf:
        raise ValueError(f"rate must be a finite number of requests per second > 0, got {rate!r}")
    times: list[float] = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, num_requests)).tolist()
    return times
