"""Shared by all tests: transformers is kept quiet, and the package under test is reported."""

import itertools
import os
import signal
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import ngramspec

# No test depends on the clock: on a busy machine any example may take long. Where CI is set, as `make test` does, the
# examples are the same in every run, so that a change is judged by what it changes; a developer's are new each time.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("patient")

os.environ["HF_HUB_OFFLINE"] = "1"  # no test depends on the network, nor waits for one that is not there
os.environ.setdefault(
    "TRANSFORMERS_VERBOSITY", "error"
)  # right padding is meant here, and one line each would drown a failure

# A shell's background jobs are started with interrupts ignored; tests of interrupts need Python's own handler.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where no compiled core is installed the plain one is tested, and does not warn: warnings are errors here.
_CORE = Path(ngramspec.__file__).parent / "drafting" / "core"
if not any((_CORE / f"_native{suffix}").exists() for suffix in EXTENSION_SUFFIXES):
    os.environ.setdefault("NGRAMSPEC_CORE", "plain")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--wheel`: `make test` runs the suite on the installed wheel; without it, on the source tree."""
    parser.addoption("--wheel", type=Path, help="the wheel that is installed; without it, the source tree is tested")


def pytest_report_header() -> list[str]:
    """What is tested, and with what."""
    from ngramspec.drafting.core import is_compiled

    packages = ("torch", "transformers", "numpy", "typer", "rich")
    return [
        f"ngramspec: {Path(ngramspec.__file__).parent}, core {'compiled' if is_compiled() else 'plain'}",
        "with " + ", ".join(f"{name} {version(name)}" for name in packages),
    ]


@pytest.fixture(autouse=True)
def _steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Speculator of which no clock is asked goes by one that says the same in every run: no test depends on time."""
    from ngramspec import Speculator

    defaults = Speculator.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", SteadyClock())


@pytest.fixture
def machine_pace() -> None:
    """Matchers go by the machine's clock, as a user's do: for tests of grammars that are slow to read."""


@pytest.fixture(autouse=True)
def _steady_pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text is slow to read in a test: after a slow token, matchers look at the next one in another way."""
    if "machine_pace" in request.fixturenames:
        return
    from ngramspec.guards.backends import pace

    for clock in ("perf_counter", "thread_time"):
        monkeypatch.setattr(pace, clock, lambda: 0.0)


class SteadyClock:
    """Seconds on a machine where drafting takes 10 µs in either way and a pass 10 ms, whatever is in it.

    The loop reads it before and after steered drafts, after the others, and before and after the pass.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._steps = itertools.cycle((0.0, 1e-5, 1e-5, 0.0, 1e-2))

    def __call__(self) -> float:
        self._now += next(self._steps)
        return self._now


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is tried before it is drafted for: for tests whose hooks only count, or are the defect to be found."""
    from ngramspec.hf.entry import route

    monkeypatch.setattr(route, "strangers_in", lambda model: [])
