"""`ngramspec replay`: what speculation would do for recorded requests."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.drafting import AdaptiveLookup, PromptLookup
from ngramspec.replay import PromptAs, Report, SegmentReport, Tokenizer, Trace, load_tokenizer, read_traces
from ngramspec.replay import replay as replay_traces


class Cost(StrEnum):
    """The costs that are known by name."""

    H100_8B = "h100-8b"


def replay(
    traces: Annotated[list[Path], typer.Argument(help="Recorded requests: JSON lines, gzipped or not.")],
    tokenizer: Annotated[
        str | None,
        typer.Option(help="For rows of text: tekken, pico, or a path or name that AutoTokenizer loads."),
    ] = None,
    max_draft_tokens: Annotated[int, typer.Option(min=0, help="Longest draft; 0 drafts nothing.")] = 10,
    cost: Annotated[
        Cost | None, typer.Option(help="Draft with history, as long as it pays on this model and machine.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="With --cost: requests that decode together.")] = 1,
    prompt_as: Annotated[
        PromptAs, typer.Option(help="reference: an encoder reads it (T5, BART); nothing: without it, to compare.")
    ] = PromptAs.CONTEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play recorded requests back through the decode loop, without a model.

    A row is {"prompt": text, "output": text} or {"prompt_ids": [...], "output_ids": [...]}, with "segment": text where
    the kind of traffic is known. The first token of an output comes from prefill: it counts neither as a token nor as
    a pass.
    """
    loaded = load_tokenizer(tokenizer) if tokenizer is not None else None
    rows = _with_progress(traces, loaded)
    if cost is None:
        report = replay_traces(rows, PromptLookup(), max_draft_tokens=max_draft_tokens, prompt_as=prompt_as)
        modelled = {}
    else:
        costs = fitted(cost, batch)
        drafter = AdaptiveLookup(vocabulary=None if loaded is None else loaded.vocabulary.tokens)
        report = replay_traces(rows, drafter, budget=AdaptiveBudget(), costs=costs, prompt_as=prompt_as)
        modelled = {"modelled_speedup": report.total.modelled_speedup(costs)}
    if as_json:
        print(json.dumps(report.as_dict() | modelled, indent=2))
        return
    _print(report)
    if modelled:
        print(f"Modelled speed-up over plain decoding, {batch} at a time: {modelled['modelled_speedup']:.3f}.")


def _with_progress(paths: list[Path], tokenizer: Tokenizer | None) -> Iterator[Trace]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for path in paths:
            file = progress.open(path, "rb", description=path.name)
            yield from read_traces(path, tokenizer, file)


def _print(report: Report) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 100  # a pipe has no width, and a table that wraps cannot be read or cut
    table = Table("segment", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    columns = ("requests", "tokens", "passes", "drafted", "accepted", "acceptance", "tokens/pass", "µs/token")
    for column in columns:
        table.add_column(column, justify="right")
    for name, segment in report.segments.items():
        table.add_row(name, *_cells(segment))
    table.add_section()
    table.add_row("total", *_cells(report.total))
    console.print(table)
    if report.num_degenerate_loops:
        print(f"{report.num_degenerate_loops} requests left out: their outputs are repetition loops.")
    print(
        "µs/token: host time of drafting per emitted token. Indexing the prompt comes on top, once per request:"
        f" {report.total.as_dict()['us_per_prompt_token']:.2f} µs per prompt token."
    )


def _cells(segment: SegmentReport) -> list[str]:
    figures = segment.as_dict()
    counts = ("requests", "tokens", "target_passes", "num_draft_tokens", "num_accepted_tokens")
    ratios = ("acceptance_rate", "tokens_per_pass", "us_per_token")
    return [*(f"{figures[key]}" for key in counts), *(f"{figures[key]:.2f}" for key in ratios)]
