"""The output of `ngramspec fuzz`: what was tried, in what shares, known differences, and failures."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from rich.console import Console

from ngramspec.cli.render import WRONG
from ngramspec.cli.terminal import text
from ngramspec.testing.fuzzing import SHARES, Failure, Result

SMALLEST = 0.05
"""Least share of the outputs in which each thing must be tried."""
PACKAGES = ("ngramspec", "llguidance", "xgrammar", "jsonschema", "transformers", "torch")


def exit_code(result: Result) -> int:
    """0: nothing failed; 1: something did; 3: too little was tried."""
    if result.failures:
        return 1
    return 3 if any(share < SMALLEST for share in shares(result).values()) else 0


def shares(result: Result) -> dict[str, float]:
    """The share of outputs with drafts in which each thing was tried."""
    return {name: result.tally.seen[name] / max(result.tally.cases, 1) for name in SHARES}


def as_dict(result: Result) -> dict[str, Any]:
    """The result for machines."""
    tally = result.tally
    return {
        "versions": {package: found for package in PACKAGES if (found := _version(package)) is not None},
        "examples": tally.cases,
        "shares": shares(result),
        "texts": tally.texts,
        "known": dict(tally.known),
        "refused": dict(tally.refused),
        "failures": [
            {
                "kind": failure.kind,
                "constraint": failure.constraint,
                "message": failure.message,
                "example": failure.example,
            }
            for failure in result.failures
        ],
    }


def show(result: Result, again: str) -> None:
    """Print the result for people; again: the command that repeats it."""
    console, tally = Console(highlight=False), result.tally
    _print(
        console, f"{tally.cases} outputs with drafts, {tally.texts} texts held against jsonschema, re and each other"
    )
    if find_spec("xgrammar") is None:
        _print(console, "xgrammar is missing, so nothing was held against it: pip install 'ngramspec[fuzz]'", "dim")
    for name, share in shares(result).items():
        _print(console, f"{share:7.1%}  {name}", WRONG if share < SMALLEST else "")
    for title, counts in (("known differences (docs/upstream.md)", tally.known), ("refused", tally.refused)):
        for name, count in counts.most_common():
            _print(console, f"{count:7}  {title}: {name}", "dim")
    for failure in result.failures:
        _show(console, failure)
    if result.failures:
        _print(console, f"\n{len(result.failures)} failed; again: {again}", WRONG)
    elif exit_code(result):
        _print(console, f"\nuntested: something was tried in less than {SMALLEST:.0%}; give more examples", WRONG)
    else:
        _print(console, "\nnothing failed")


def _show(console: Console, failure: Failure) -> None:
    _print(console, f"\n{failure.message}", WRONG)
    _print(console, f"  in {failure.constraint}")
    _print(console, f"  from ngramspec.testing.fuzzing import *; {failure.example}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(text(line, style), soft_wrap=True)
