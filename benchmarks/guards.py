"""What a guard does to drafting: tokens per pass and time per token, without it, cut by it, in conversation with it.

    python -m benchmarks.guards [--traces FILES...] [--schemas FILES...] [--json] [--parts PARTS...]

1. `function_calls`, each under the schema of the tools that its prompt names.
2. `schemas`: instances of schemas, written without blanks, after a prompt that shows the schema; by class.
3. `sql`: answers in SQL under the grammar of SELECT statements, by recording.
4. `extraction`: JSON by the embedded model, live, beside onnxruntime-genai (`benchmarks.extraction`).
5. `guarded_pass`: what guard and steering cost a pass of a real network (`benchmarks.guarded_pass`).

In 1 to 3 recorded outputs are replayed, drafted for as long as it pays with one request on an H100, in four ways:

    none            no guard; drafts are what the drafter says
    truncate        drafts end at the first token that the guard refuses
    no_key_lookup   in conversation with the guard, which knows the schema, but not the prompt
    steered         ngramspec's defaults

once without a history, and once with that of the requests before. Rows whose output the guard refuses are counted, and
left out of every way. Time is the host's, of drafting alone, per emitted token.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.extraction import extraction
from benchmarks.extraction import table as extraction_table
from benchmarks.guarded_pass import FEWEST, MOST, Bench
from benchmarks.guarded_pass import instances as guarded_instances
from benchmarks.traces import trace_paths
from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.decoding.steering import RowSteering, SteersRow
from ngramspec.drafting import AdaptiveLookup, Draft, DraftSession, TokenArray
from ngramspec.guards import Matcher, Vocabulary
from ngramspec.replay import Report, Trace, load_tokenizer, replay
from training.guarded import Guarded, function_calls, instances, statements

DEFAULT_SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "jsonschemabench.jsonl.gz"
PARTS = ("function_calls", "schemas", "sql", "extraction", "guarded_pass")
HISTORIES = {"history_off": False, "history_on": True}


T = TypeVar("T")


class Cutting:
    """Drafts end at the first token that a grammar refuses, as in vLLM."""

    def draft(self, session: DraftSession, matchers: Sequence[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """The legal head."""
        draft = session.propose(max_tokens, min_survival)
        for matcher in matchers:
            with matcher.lookahead() as ahead:
                draft = draft.head(sum(1 for _ in takewhile(ahead.push, draft.tokens.tolist())))
        return draft

    def commit(self, tokens: TokenArray) -> None:
        """There is nothing to follow."""


def _cut(matchers: Sequence[Matcher], texts: Sequence[TokenArray]) -> SteersRow:
    return Cutting()


def _without_prompt(matchers: Sequence[Matcher], texts: Sequence[TokenArray]) -> SteersRow:
    return RowSteering(matchers, [])


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to draft. steer: as `replay` takes it; None where there is no guard."""

    name: str
    steer: Callable[[Sequence[Matcher], Sequence[TokenArray]], SteersRow] | None


ARMS = (
    Arm("none", None),
    Arm("truncate", _cut),
    Arm("no_key_lookup", _without_prompt),
    Arm("steered", RowSteering),
)


def main() -> None:
    """Print the tables."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--traces", nargs="+", type=Path, default=[], help="recorded calls; default ../shared/traces")
    made.add_argument("--schemas", nargs="*", type=Path, help="JSON lines with schemas; default ../shared/schemas")
    made.add_argument("--tokenizer", default="tekken", help="as in ngramspec replay (default: tekken)")
    made.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = made.parse_args()
    paths = trace_paths(made, arguments.traces) if {"function_calls", "sql"} & {*arguments.parts} else []
    default = [DEFAULT_SCHEMAS] if DEFAULT_SCHEMAS.exists() else []
    schemas = default if arguments.schemas is None else arguments.schemas
    vocabulary = load_tokenizer(arguments.tokenizer).vocabulary
    figures: dict[str, Any] = {}
    for part in PARTS:
        if part not in arguments.parts:
            continue
        if part == "function_calls":
            figures[part] = _figures(function_calls(paths, vocabulary), vocabulary.tokens)
        elif part == "schemas":
            figures[part] = _figures_by_name(instances(schemas, vocabulary), vocabulary.tokens)
        elif part == "sql":
            figures[part] = _figures_by_name(statements(paths, vocabulary), vocabulary.tokens)
        elif part == "extraction":
            figures[part] = extraction(num_items=40, rounds=1)
        else:
            figures[part] = _guarded_passes(schemas, vocabulary)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)


def _guarded_passes(schemas: Sequence[Path], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = list(guarded_instances(schemas, vocabulary, 4, ("llguidance",)))
    if not found:
        print(
            f"guarded_pass is left out: it needs instances of {FEWEST} to {MOST} tokens, and there are none",
            file=sys.stderr,
        )
        return []
    bench = Bench(found, vocabulary, "135m")
    return [bench.steered_row(batch, rounds=2) for batch in _shown([1, 4])]


def _shown(steps: list[T]) -> Iterable[T]:
    return track(steps, "Measuring", console=Console(stderr=True), transient=True)


def _figures_by_name(kinds: dict[str, Guarded], tokens: Sequence[bytes]) -> dict[str, Any]:
    return {name: _figures(guarded, tokens) for name, guarded in _shown(sorted(kinds.items()))}


def _figures(guarded: Guarded, tokens: Sequence[bytes]) -> dict[str, Any]:
    """Of one kind of requests, all arms."""
    arms: dict[str, dict[str, dict[str, float]]] = {}
    for arm in ARMS:
        reports = {name: _replayed(guarded.traces, arm, tokens, on=on) for name, on in HISTORIES.items()}
        arms[arm.name] = {
            "tokens_per_pass": {name: report.total.counters.tokens_per_pass for name, report in reports.items()},
            "us_per_token": {name: report.total.as_dict()["us_per_token"] for name, report in reports.items()},
        }
    return {"rows": len(guarded.traces), "refused": guarded.refused, "arms": arms}


def _replayed(traces: Sequence[Trace], arm: Arm, tokens: Sequence[bytes], *, on: bool) -> Report:
    """on: with history."""
    made = [
        replace(trace, segment=trace.segment if on else None, guard=None if arm.steer is None else trace.guard)
        for trace in traces
    ]
    return replay(
        made,
        AdaptiveLookup(vocabulary=tokens),
        budget=AdaptiveBudget(),
        costs=fitted("h100-8b"),
        steer=arm.steer or RowSteering,
    )


def _print(figures: dict[str, Any]) -> None:
    console = wide_console()
    kinds = {"function calls": figures["function_calls"]} if "function_calls" in figures else {}
    kinds |= figures.get("schemas", {}) | figures.get("sql", {})
    for key, unit in (("tokens_per_pass", "tokens per pass"), ("us_per_token", "µs per token")) if kinds else ():
        table = Table(f"{unit}: history off, on", "rows", "refused", box=SIMPLE_HEAD, pad_edge=False)
        for arm in ARMS:
            table.add_column(arm.name, justify="right")
        for name, found in kinds.items():
            cells = (", ".join(f"{found['arms'][arm.name][key][history]:.2f}" for history in HISTORIES) for arm in ARMS)
            table.add_row(name, str(found["rows"]), str(found["refused"]), *cells)
        console.print(table)
    if "extraction" in figures:
        console.print(extraction_table(figures["extraction"]))
    for row in figures.get("guarded_pass", ()):
        console.print(f"a guarded pass by an unguarded one, batch {row['batch']}: {row['steered']:.3f}x")


if __name__ == "__main__":
    main()
