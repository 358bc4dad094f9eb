"""How does a guard affect drafting? Tokens per pass and time per token, without it, cut by it, and steered by it.

    python -m benchmarks.guards [--traces FILES...] [--schemas FILES...] [--json] [--parts PARTS...]

1. `function_calls`, each under the schema of the tools that its prompt names.
2. `schemas`: instances of schemas, written without blanks, after a prompt that shows the schema; by class.
3. `sql`: answers in SQL under the grammar of SELECT statements, by recording.
4. `extraction`: JSON by the embedded model, live, beside onnxruntime-genai (`benchmarks.extraction`).
5. `guarded_pass`: what guard and steering add to a pass of a real network (`benchmarks.guarded_pass`).

In 1 to 3 recorded outputs are replayed, drafted for as long as it pays on an H100, in five ways:

    none            no guard; drafts are the drafter's
    truncate        drafts end at the first token that the guard refuses
    no_key_lookup   steered by the guard, which sees the schema but not the prompt
    steered         steered by the guard, which sees both
    trees           the same, for a target that takes trees

once without a history, and once with that of the earlier requests. Rows whose output the guard refuses are counted,
and left out of every way. Time is the host's CPU time for drafting and following the text, per emitted token.

Tokens per pass and time are those with one request. Speed-ups over plain decoding are modelled by the published fit,
for each number of --batches that decode together, with the history. "And host" adds this machine's host time to each
pass: that time for each row, and the loop's (`ngramspec.testing.loop_time`). Masks are not included, because they are
filled on threads while the device works. Nothing is added to plain decoding. "Chosen" is ngramspec's default: the
budget knows the host's time, too, and each row is steered, cut, or not drafted for, whichever pays.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
from benchmarks.hosted_costs import HostedCosts
from benchmarks.traces import trace_paths
from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.decoding.steering import RowSteering, SteersRow, legal_part
from ngramspec.drafting import AdaptiveLookup, Draft, DraftSession, TokenArray, propose_tree
from ngramspec.guards import Matcher, Vocabulary
from ngramspec.replay import HostTime, Report, Trace, load_tokenizer, replay
from ngramspec.testing.loop_time import loop_time
from training.guarded import Guarded, function_calls, instances, statements

DEFAULT_SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas" / "jsonschemabench.jsonl.gz"
FIT = "h100-8b"
"""The fit of the cost of passes; see `ngramspec.decoding.FITS`."""

PARTS = ("function_calls", "schemas", "sql", "extraction", "guarded_pass")
HISTORIES = {"history_off": False, "history_on": True}


T = TypeVar("T")


class Cutting:
    """Cuts drafts at the first token that a grammar refuses, as in vLLM."""

    def draft(self, session: DraftSession, matchers: Sequence[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """The legal head."""
        return legal_part(session.propose(max_tokens, min_survival), matchers)

    def draft_tree(
        self, session: DraftSession, matchers: Sequence[Matcher], max_nodes: int, min_survival: float
    ) -> Draft:
        """The legal nodes."""
        return legal_part(propose_tree(session, max_nodes, min_survival), matchers)

    def commit(self, tokens: TokenArray) -> None:
        """Do nothing."""


def _cut(matchers: Sequence[Matcher], texts: Sequence[TokenArray]) -> SteersRow:
    return Cutting()


def _without_prompt(matchers: Sequence[Matcher], texts: Sequence[TokenArray]) -> SteersRow:
    return RowSteering(matchers, [])


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to draft. steer: argument of `replay`; None without a guard. takes_trees: whether the target does."""

    name: str
    steer: Callable[[Sequence[Matcher], Sequence[TokenArray]], SteersRow] | None
    takes_trees: bool = False


ARMS = (
    Arm("none", None),
    Arm("truncate", _cut),
    Arm("no_key_lookup", _without_prompt),
    Arm("steered", RowSteering),
    Arm("trees", RowSteering, takes_trees=True),
)


def main() -> None:
    """Print the tables."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--traces", nargs="+", type=Path, default=[], help="recorded calls; default ../shared/traces")
    made.add_argument("--schemas", nargs="*", type=Path, help="JSON lines with schemas; default ../shared/schemas")
    made.add_argument("--tokenizer", default="tekken", help="as in ngramspec replay (default: tekken)")
    made.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    made.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 128], help="requests that decode together")
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
            figures[part] = _figures(function_calls(paths, vocabulary), vocabulary.tokens, arguments.batches)
        elif part == "schemas":
            kinds = instances(schemas, vocabulary)
            figures[part] = _figures_by_name(kinds, vocabulary.tokens, arguments.batches)
        elif part == "sql":
            kinds = statements(paths, vocabulary)
            figures[part] = _figures_by_name(kinds, vocabulary.tokens, arguments.batches)
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


def _figures_by_name(kinds: dict[str, Guarded], tokens: Sequence[bytes], batches: Sequence[int]) -> dict[str, Any]:
    return {name: _figures(guarded, tokens, batches) for name, guarded in _shown(sorted(kinds.items()))}


def _figures(guarded: Guarded, tokens: Sequence[bytes], batches: Sequence[int]) -> dict[str, Any]:
    """Figures of one kind of requests, for all arms."""
    arms: dict[str, dict[str, dict[str, float]]] = {}
    for arm in ARMS:
        reports = {name: _replayed(guarded.traces, arm, tokens, 1, on=on) for name, on in HISTORIES.items()}
        together = {batch: _replayed(guarded.traces, arm, tokens, batch, on=True) for batch in batches}
        arms[arm.name] = {
            "tokens_per_pass": {name: report.total.counters.tokens_per_pass for name, report in reports.items()},
            "us_per_token": {name: report.total.as_dict()["us_per_token"] for name, report in reports.items()},
            "modelled_speedup": _speedups(together, None),
            "modelled_speedup_with_host": _speedups(together, loop_time()),
        }
    chosen = {batch: _replayed(guarded.traces, ARMS[-1], tokens, batch, on=True, hosted=True) for batch in batches}
    return {
        "rows": len(guarded.traces),
        "refused": guarded.refused,
        "arms": arms,
        "chosen": {"modelled_speedup_with_host": _speedups(chosen, loop_time())},
    }


def _speedups(reports: dict[int, Report], host: HostTime | None) -> dict[str, float]:
    return {str(batch): report.total.modelled_speedup(fitted(FIT, batch), host) for batch, report in reports.items()}


def _replayed(
    traces: Sequence[Trace], arm: Arm, tokens: Sequence[bytes], batch: int, *, on: bool, hosted: bool = False
) -> Report:
    """on: with history. hosted: the budget prices the host's time, too."""
    made = [
        replace(trace, segment=trace.segment if on else None, guard=None if arm.steer is None else trace.guard)
        for trace in traces
    ]
    return replay(
        made,
        AdaptiveLookup(vocabulary=tokens),
        budget=AdaptiveBudget(),
        costs=HostedCosts(FIT, batch, loop_time()) if hosted else fitted(FIT, batch),
        steer=arm.steer or RowSteering,
        clock=time.thread_time_ns,
        takes_trees=arm.takes_trees,
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
    for name, found in kinds.items():
        console.print(_speedup_table(name, found))
    if "extraction" in figures:
        console.print(extraction_table(figures["extraction"]))
    for row in figures.get("guarded_pass", ()):
        console.print(f"a guarded pass by an unguarded one, batch {row['batch']}: {row['steered']:.3f}x")


def _speedup_table(name: str, figures: dict[str, Any]) -> Table:
    """Modelled speed-ups of one kind of requests, by way; the last columns include host time in each pass."""
    arms, chosen = figures["arms"], figures["chosen"]["modelled_speedup_with_host"]
    batches = list(chosen)
    table = Table(f"{name}: speed-up", box=SIMPLE_HEAD, pad_edge=False)
    for column in (*(f"N = {batch}" for batch in batches), *(f"N = {batch}\nand host" for batch in batches)):
        table.add_column(column, justify="right")
    for arm, found in arms.items():
        both = (found["modelled_speedup"], found["modelled_speedup_with_host"])
        table.add_row(arm, *(f"{speedups[batch]:.2f}" for speedups in both for batch in batches))
    table.add_row("chosen", *[""] * len(batches), *(f"{speedup:.2f}" for speedup in chosen.values()))
    return table


if __name__ == "__main__":
    main()
