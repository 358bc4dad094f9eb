"""The loads of a simulation, as the command line names them."""

from collections.abc import Sequence
from functools import partial

import typer

from ngramspec.errors import shortened
from ngramspec.replay import Trace
from ngramspec.simulate import Load, OpenLoop, poisson

MOST_LOADS = 16
MOST_CONCURRENT = 4096
MOST_IN_A_BATCH = 1024
RECORDED = "recorded"


def concurrencies(given: str) -> list[int]:
    """Rising numbers of "1,4,16". Raises typer.BadParameter for anything else."""
    return _numbers(given, "--concurrency", MOST_CONCURRENT)


def batch_sizes(given: str) -> list[int]:
    """As `concurrencies`, of prompts that are decoded together."""
    return _numbers(given, "--batch", MOST_IN_A_BATCH)


def _numbers(given: str, option: str, most: int) -> list[int]:
    numbers = [int(part) if part.isascii() and part.isdigit() and len(part) <= 4 else 0 for part in _parts(given)]
    if not all(1 <= number <= most for number in numbers):
        raise typer.BadParameter(
            f"{option} must be whole numbers from 1 to {most}, got {shortened(given)}: write 1,4,16"
        )
    return sorted(set(numbers))


def rates(given: str) -> list[float]:
    """Rising numbers of "0.5,2". Raises typer.BadParameter for anything else."""
    try:
        numbers = [float(part) for part in _parts(given)]
    except ValueError:
        numbers = [0.0]
    if not all(0.0 < number < float("inf") for number in numbers):
        raise typer.BadParameter(
            f"--rate must be requests per second, each above 0, or {RECORDED}, got {shortened(given)}: write 0.5,2"
        )
    return sorted(set(numbers))


def opened(traces: Sequence[Trace], given: str, seed: int) -> list[Load]:
    """A Poisson load for each rate, or the recorded one. Raises typer.BadParameter."""
    if given == RECORDED:
        return [_recorded(traces)]
    return [Load(rate, partial(OpenLoop, poisson(len(traces), rate, seed))) for rate in rates(given)]


def _recorded(traces: Sequence[Trace]) -> Load:
    times = [trace.arrival_s for trace in traces if trace.arrival_s is not None]
    if len(times) < len(traces):
        raise typer.BadParameter(
            f"--rate {RECORDED} needs arrival_s in each row, got {len(traces) - len(times)} without it: record it, or"
            " give a number"
        )
    first = min(times)
    duration = max(times) - first
    rate = len(times) / duration if duration else float(len(times))
    return Load(rate, partial(OpenLoop, [time - first for time in times]))


def _parts(given: str) -> list[str]:
    parts = [part.strip() for part in given.split(",", MOST_LOADS)]
    if len(parts) > MOST_LOADS:
        raise typer.BadParameter(f"at most {MOST_LOADS} loads are measured, got more: name fewer")
    return parts
