"""The output of `ngramspec fuzz --hostile`: what was tried, the slowest and largest inputs, and the findings."""

from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from ngramspec.cli.render import WRONG
from ngramspec.printing import printable
from ngramspec.testing.hostile import Campaign, Outcome, Result


def run(examples: int, seed: int) -> Result:
    """Run hostile inputs, with a progress bar on a terminal."""
    backends = ("llguidance", "xgrammar") if find_spec("xgrammar") else ("llguidance",)
    console = Console(stderr=True, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("hostile inputs", total=examples)
        return Campaign(examples, seed, backends).run(lambda done: progress.update(task, completed=done))


def as_dict(result: Result) -> dict[str, Any]:
    """The result for machines."""
    return {
        "tried": result.tried,
        "answered": result.answered,
        "refused": result.refused,
        "passed_over": result.passed_over,
        "crashes": result.crashes,
        "longest_answer_s": None if result.slowest is None else result.slowest.seconds,
        "most_memory_bytes": None if result.largest is None else result.largest.bytes,
        "longest_hold_s": None if result.longest_hold is None else result.longest_hold.hold,
        "findings": [
            {"generator": each.generator, "fault": each.fault, "known": each.known, "example": each.example}
            for each in result.findings
        ],
    }


def show(result: Result, again: str) -> None:
    """Print the result for people; again: the command that repeats it."""
    console = Console(highlight=False)
    _print(console, f"{result.tried} hostile inputs: {result.answered} answered, {result.refused} refused by name")
    _print(console, f"longest answer: {_said(result.slowest, lambda each: f'{each.seconds:.2f} s')}")
    _print(console, f"most memory: {_said(result.largest, lambda each: f'{each.bytes >> 20} MB')}")
    _print(console, f"longest hold of the lock: {_said(result.longest_hold, lambda each: f'{1e3 * each.hold:.0f} ms')}")
    _print(console, f"crashes: {result.crashes}", WRONG if result.crashes else "")
    if result.passed_over:
        _print(console, f"passed over, as others of their kind ended the process: {result.passed_over}", "dim")
    for finding in result.findings:
        _print(console, f"\n{finding.generator} (as {finding.known}): {finding.fault}", WRONG)
        _print(console, f"  from ngramspec.testing.hostile import *; {finding.example}")
    if result.findings:
        _print(console, f"\n{len(result.findings)} findings; again: {again}", WRONG)
    else:
        _print(console, "\nnothing found")


def _said(outcome: Outcome | None, figure: Any) -> str:
    return "none" if outcome is None else f"{figure(outcome)}, {outcome.input}"


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(Text("\n".join(map(printable, line.split("\n"))), style), soft_wrap=True)
