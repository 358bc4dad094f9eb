"""`ngramspec replay`: what speculation would do for recorded requests."""

import json
import time
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ngramspec.cli.recordings import EveryAnswer, MaxBytes, TokenizerName, Traces, recorded
from ngramspec.cli.render import show_table
from ngramspec.cli.terminal import text
from ngramspec.decoding import FITS, AdaptiveBudget, Budget, FixedBudget, LinearCosts, fitted
from ngramspec.drafting import AdaptiveLookup, PromptLookup
from ngramspec.errors import TraceError
from ngramspec.printing import named, on_one_line, printable
from ngramspec.replay import (
    PromptAs,
    Report,
    SavedCosts,
    SegmentReport,
    load_tokenizer,
    read_costs,
)
from ngramspec.replay import replay as replay_traces
from ngramspec.replay.traces import MAX_BYTES

COLUMNS = ("requests", "tokens", "passes", "drafted", "accepted", "rate", "tokens\nper pass", "µs per\ntoken")


def replay(
    traces: Traces,
    tokenizer: TokenizerName = None,
    every_answer: EveryAnswer = False,
    max_draft_tokens: Annotated[
        int | None, typer.Option(min=0, help="Longest draft, 10 by default; 0 drafts nothing. Without --cost.")
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            help="Draft with history, as long as it pays by what passes cost: h100-8b, or a file that"
            " Speculator.save_costs wrote; FILE#TABLE where it holds several."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="With --cost: requests that decode together, 1 by default.")
    ] = None,
    prompt_as: Annotated[
        PromptAs, typer.Option(help="reference: an encoder reads it (T5, BART); nothing: without it, to compare.")
    ] = PromptAs.CONTEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Replay recorded requests through the decode loop, without a model.

    A row is {"prompt": text, "output": text}, {"prompt_ids": [...], "output_ids": [...]} or a chat, {"messages": [...]}
    in the format of OpenAI's API, whose last answer is the output; with an optional "segment": text. The first token of
    an output comes from prefill: it counts neither as a token nor as a pass.
    """
    if cost is None and batch is not None:
        raise typer.BadParameter("--batch is for what passes cost: add --cost, or leave it out")
    if cost is not None and max_draft_tokens is not None:
        raise typer.BadParameter("with --cost a draft is as long as it pays: leave --max-draft-tokens or --cost out")
    costs = None if cost is None else _costs(cost, batch or 1)
    loaded = load_tokenizer(tokenizer) if tokenizer is not None else None
    rows = recorded(traces, loaded, every_answer=every_answer, max_bytes=max_bytes)
    if costs is None:
        budget: Budget = FixedBudget() if max_draft_tokens is None else FixedBudget(max_draft_tokens)
        report = replay_traces(rows, PromptLookup(), budget=budget, prompt_as=prompt_as)
        modelled: dict[str, Any] = {}
    else:
        drafter = AdaptiveLookup(vocabulary=None if loaded is None else loaded.vocabulary.tokens)
        settings: dict[str, Any] = {"prompt_as": prompt_as, "clock": time.thread_time_ns, "takes_trees": True}
        report = replay_traces(rows, drafter, budget=AdaptiveBudget(), costs=costs, **settings)
        modelled = _modelled(report.total, costs)
        modelled["cost"] = costs.name if isinstance(costs, SavedCosts) else cost
    if not report.total.counters.requests + report.num_degenerate_loops:
        names = ", ".join(map(named, traces))
        raise TraceError(
            f"a replay needs at least one recorded request, got none in {names}: name a file that has some"
        )
    if as_json:
        print(json.dumps(report.as_dict() | modelled, indent=2))
        return
    _print(report)
    if modelled:
        by = printable(str(modelled["cost"]))
        alone, beside = modelled["modelled_speedup"], modelled["modelled_speedup_with_host"]
        print(
            f"Modelled speed-up over plain decoding, {batch or 1} at a time, by {by}: {alone:.3f};"
            f" with the host's time on this machine in each pass {beside:.3f}."
        )
        print(
            "Host time per pass: the loop's {of_pass:.0f} µs, and {of_row:.1f} µs for each row;"
            " drafting's {drafting:.1f} µs for each row.".format(**modelled["host_us"])
        )


def _modelled(total: SegmentReport, costs: LinearCosts | SavedCosts) -> dict[str, Any]:
    """Speed-ups, without the host's time and with it. The loop's time is measured on a tiny network, in a second."""
    from ngramspec.testing.loop_time import loop_time  # loads torch

    host, drafting = loop_time(), total.drafting_of_pass
    if isinstance(costs, SavedCosts):
        alone, beside = costs.speedup(), costs.speedup(host.of(costs.batch, drafting))
    else:
        alone, beside = total.modelled_speedup(costs), total.modelled_speedup(costs, host)
    parts = {"of_pass": host.of_pass, "of_row": host.of_row, "drafting": drafting}
    return {
        "modelled_speedup": alone,
        "modelled_speedup_with_host": beside,
        "host_us": {name: 1e6 * seconds for name, seconds in parts.items()},
    }


def _costs(name: str, batch: int) -> LinearCosts | SavedCosts:
    """A published fit, or a table from a file."""
    if name in FITS:
        return fitted(name, batch)
    try:
        if not name.partition("#")[0]:
            raise FileNotFoundError  # for Path, "" is the current folder
        return read_costs(name, batch)
    except FileNotFoundError as error:
        near = get_close_matches(name, FITS, n=1)
        raise OSError(
            f"--cost must be {' or '.join(FITS)}, or a file that Speculator.save_costs wrote, got {name!r}:"
            f" there is no such file{f' (did you mean {near[0]}?)' if near else ''}"
        ) from error


def _print(report: Report) -> None:
    console = Console()
    table = Table("segment", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, justify="right", vertical="bottom")
    for name, segment in report.segments.items():
        table.add_row(text(on_one_line(name)), *_cells(segment))
    table.add_row("total", *_cells(report.total))
    show_table(console, table)
    if report.num_degenerate_loops:
        print(f"{report.num_degenerate_loops} requests left out: their outputs are repetition loops.")
    print(
        "µs per token: host time of drafting per emitted token. Indexing the prompt comes on top, once per request:"
        f" {report.total.as_dict()['us_per_prompt_token']:.2f} µs per prompt token."
    )


def _cells(segment: SegmentReport) -> list[str]:
    figures = segment.as_dict()
    counts = ("requests", "tokens", "target_passes", "num_draft_tokens", "num_accepted_tokens")
    ratios = ("acceptance_rate", "tokens_per_pass", "us_per_token")
    return [*(f"{figures[key]}" for key in counts), *(f"{figures[key]:.2f}" for key in ratios)]
