"""Runs many hostile inputs, one after another, and finds and re-checks faults."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ngramspec.testing.hostile.corpus import CORPUS, drawn
from ngramspec.testing.hostile.inputs import SIZES, Input
from ngramspec.testing.hostile.watchdog import Bounds, Outcome, Watchdog

TRIES = 3
"""How often a long hold of the lock is measured again, in a fresh process, before it counts: machines are noisy."""
ENOUGH = 2
"""How often a kind of input may kill its process before the rest of its kind is skipped."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault; example: a call of `play` that shows it."""

    generator: str
    fault: str
    example: str

    @property
    def known(self) -> str:
        """The past fault that inputs of this kind come from, by `CORPUS`; "" for an unknown kind."""
        return CORPUS[self.generator].fault if self.generator in CORPUS else ""


@dataclass(slots=True)
class Result:
    """What a campaign tried and found."""

    tried: int = 0
    answered: int = 0
    refused: int = 0
    passed_over: int = 0
    crashes: int = 0
    slowest: Outcome | None = None
    largest: Outcome | None = None
    longest_hold: Outcome | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count the outcome of one input."""
        self.tried += 1
        self.answered += outcome.fault is None and not outcome.is_refused
        self.refused += outcome.is_refused
        self.crashes += outcome.is_crash
        if outcome.fault is not None:
            example = f"play({outcome.input!r})"
            self.findings.append(Finding(outcome.input.generator, outcome.fault, example))
        if not outcome.is_crash:
            self.slowest = _larger(self.slowest, outcome, lambda each: each.seconds)
            self.longest_hold = _larger(self.longest_hold, outcome, lambda each: each.hold)
        self.largest = _larger(self.largest, outcome, lambda each: each.bytes)


def _larger(known: Outcome | None, new: Outcome, value: Callable[[Outcome], float]) -> Outcome:
    return new if known is None or value(new) > value(known) else known


@dataclass(frozen=True, slots=True)
class Campaign:
    """A run of `examples` inputs from `seed`.

    backends: that compile. sizes: of the inputs, in bytes. bounds: limits of one input.
    """

    examples: int
    seed: int = 0
    backends: tuple[str, ...] = ("llguidance",)
    sizes: tuple[int, ...] = SIZES
    bounds: Bounds = field(default_factory=Bounds)

    def run(self, progress: Callable[[int], None] = lambda tried: None) -> Result:
        """Run it; progress: called with the number of finished inputs."""
        result, ended = Result(), Counter[tuple[str, str]]()
        with Watchdog(self.bounds) as watchdog:
            for number, each in enumerate(drawn(self.examples, self.seed, self.backends, self.sizes), start=1):
                if ended[each.generator, each.backend] >= ENOUGH:
                    result.passed_over += 1
                else:
                    outcome = self._checked(watchdog.ask(each))
                    ended[each.generator, each.backend] += outcome.is_crash
                    result.add(outcome)
                progress(number)
        return result

    def _checked(self, outcome: Outcome) -> Outcome:
        """The outcome; a hold of the lock that is too long counts as a fault only if every repetition shows it."""
        for _ in range(TRIES):
            if outcome.fault is not None or outcome.hold <= self.bounds.hold:
                return outcome
            with Watchdog(self.bounds) as alone:
                again = alone.ask(outcome.input)
            outcome = min(outcome, again, key=lambda each: each.hold) if again.fault is None else again
        if outcome.fault is not None or outcome.hold <= self.bounds.hold:
            return outcome
        fault = f"no other thread could run for {1e3 * outcome.hold:.0f} ms"
        return Outcome(outcome.input, outcome.is_refused, outcome.seconds, outcome.bytes, outcome.hold, fault)


def play(each: Input, bounds: Bounds | None = None) -> Outcome:
    """The outcome of one input, in a process of its own."""
    with Watchdog(bounds) as watchdog:
        return watchdog.ask(each)
