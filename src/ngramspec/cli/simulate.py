"""`ngramspec simulate`: what users would feel, at any load, with drafts and without."""

import json
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.cli.drafters import DrafterName, arm_of, model_of
from ngramspec.cli.figures import show
from ngramspec.cli.loads import concurrencies, opened
from ngramspec.cli.machines import machine_of
from ngramspec.cli.recordings import EveryAnswer, MaxBytes, TokenizerName, Traces, recorded
from ngramspec.decoding import HostPrices
from ngramspec.errors import TraceError
from ngramspec.files import writing
from ngramspec.printing import named
from ngramspec.replay import RowGuards, Trace, load_tokenizer
from ngramspec.replay.traces import MAX_BYTES
from ngramspec.simulate import CONCURRENT, PER_SECOND, Arm, Load, Machine, Simulation, closed_loops, shuffled
from ngramspec.simulate import simulate as simulate_traces
from ngramspec.simulate.page import page

DEFAULT_COST = "h100-8b"
DEFAULT_CONCURRENCY = "1,4,16,64"
MOST_REQUESTS = 100_000
"""Most requests: all are in memory while they are simulated."""


def simulate(
    traces: Traces,
    tokenizer: TokenizerName = None,
    every_answer: EveryAnswer = False,
    concurrency: Annotated[
        str | None, typer.Option(help=f"Clients, each with one request at a time; {DEFAULT_CONCURRENCY} by default.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(help="Instead: requests per second that come by chance, 0.5,2 say; or recorded: by arrival_s."),
    ] = None,
    cost: Annotated[
        str, typer.Option(help="What passes cost: h100-8b, or a file that ngramspec calibrate wrote.")
    ] = DEFAULT_COST,
    drafter: Annotated[DrafterName, typer.Option(help="Where drafts come from.")] = DrafterName.OURS,
    acceptance: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="With --drafter model: how often a token of it is right.")
    ] = None,
    draft_tokens: Annotated[
        int | None, typer.Option(min=1, max=96, help="With --drafter model: tokens of each draft.")
    ] = None,
    draft_cost: Annotated[
        float | None, typer.Option(min=0.0, help="With --drafter model: a pass of it, in plain passes of the target.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of requests, and of when they come.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report to this file: one page, with plots.")] = None,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Simulate recorded requests at a load: latencies, throughput, what to switch on, and where the gain is gone.

    Rows are those of `ngramspec replay`, in random order, because services get kinds of requests mixed; with "--rate
    recorded" each comes at its own time.
    """
    if concurrency is not None and rate is not None:
        raise typer.BadParameter("a load is closed or open: leave --concurrency or --rate out")
    sizes = concurrencies(DEFAULT_CONCURRENCY if concurrency is None else concurrency)
    machine, priced_by = machine_of(cost)
    model = model_of(acceptance, draft_tokens, draft_cost)
    loaded = load_tokenizer(tokenizer) if tokenizer is not None else None
    vocabulary = None if loaded is None else loaded.vocabulary
    arm, drafts = arm_of(drafter, model, machine, None if vocabulary is None else vocabulary.tokens, seed)
    guards = RowGuards(vocabulary)
    rows = recorded(traces, loaded, every_answer=every_answer, max_bytes=max_bytes, guards=guards)
    read = list(islice(rows, MOST_REQUESTS + 1))
    requests, num_left_out = _usable(traces, read)
    mixed = shuffled(requests, seed)
    loads = closed_loops(len(mixed), sizes) if rate is None else opened(mixed, rate, seed)
    found = _simulated(mixed, machine, arm, loads, CONCURRENT if rate is None else PER_SECOND)
    about = _about(len(mixed), num_left_out, arm.host or machine.host, priced_by, drafts)
    num_guarded = sum(trace.guard is not None for trace in mixed)
    if num_guarded or guards.num_unfit:
        about.append(_guarded(num_guarded, guards.num_unfit, machine.host))
    if html is not None:
        writing.replace(html, [page(found, about).encode()])
    if as_json:
        print(json.dumps({"about": about} | found.as_dict(), indent=2))
    else:
        show(found, about)


def _usable(names: list[str], traces: list[Trace]) -> tuple[list[Trace], int]:
    """The requests that can be simulated, and how many cannot."""
    usable = [trace for trace in traces if trace.output.size and not trace.degenerate_loop]
    if not usable:
        listed = ", ".join(map(named, names))
        raise TraceError(
            f"a simulation needs at least one recorded request with an output, got none in {listed}: name a file that"
            " has some"
        )
    if len(traces) > MOST_REQUESTS:
        raise TraceError(
            f"a simulation takes at most {MOST_REQUESTS} recorded requests, got more in {', '.join(map(named, names))}:"
            " name a part of them"
        )
    return usable, len(traces) - len(usable)


def _simulated(traces: list[Trace], machine: Machine, arm: Arm, loads: list[Load], unit: str) -> Simulation:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Simulating", total=2 * len(traces) * len(loads))
        return simulate_traces(traces, machine, arm, loads, unit=unit, progress=lambda: progress.advance(task))


def _about(num_requests: int, num_left_out: int, host: HostPrices, priced_by: str, drafts: str) -> list[str]:
    drafting = host.blind
    lines = [
        f"{num_requests} requests, {priced_by}",
        f"Drafts: {drafts}. Drafting takes {1e6 * drafting.of_pass:.0f} µs for a pass, {1e6 * drafting.of_row:.0f} µs"
        f" for each row, and {1e6 * drafting.of_step:.0f} µs for each token of the longest draft.",
    ]
    if num_left_out:
        lines.append(f"{num_left_out} requests left out: without an output, or a repetition loop.")
    return lines


def _guarded(num_guarded: int, num_unfit: int, host: HostPrices) -> str:
    steering, masks = (1e6 * (price.of_pass + price.of_row) for price in (host.steered, host.masks))
    unfit = f" {num_unfit} answers do not fit their schema and are decoded without it." if num_unfit else ""
    return (
        f"{num_guarded} requests under a schema, steered by it. Steering takes {steering:.0f} µs for a row, masks"
        f" {masks:.0f} µs.{unfit}"
    )
