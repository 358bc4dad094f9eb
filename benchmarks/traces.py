"""Command line arguments for the recorded requests of a benchmark, the same for each."""

import argparse
from pathlib import Path

DEFAULT_TRACES = Path(__file__).parents[2] / "shared" / "traces"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command line that takes traces, a tokenizer and --json; its help is the first line of `description`."""
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("traces", nargs="*", type=Path, help="recorded requests; default ../shared/traces/*.jsonl.gz")
    made.add_argument("--tokenizer", default="tekken", help="as in ngramspec replay (default: tekken)")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def trace_paths(made: argparse.ArgumentParser, given: list[Path]) -> list[Path]:
    """The files `given`, or else the default ones; if there are none, the command line ends with an error."""
    paths = given or sorted(DEFAULT_TRACES.glob("*.jsonl.gz"))
    if not paths:
        made.error(f"no traces in {DEFAULT_TRACES}: pass JSON lines of prompts and outputs")
    return paths
