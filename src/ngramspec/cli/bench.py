"""`ngramspec bench`: what drafts bring for the user's own model and prompts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.cli.budgets import Costs
from ngramspec.cli.compare import why_texts_may_differ
from ngramspec.cli.figures import show
from ngramspec.cli.loads import batch_sizes
from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import MAX_BYTES, MaxBytes, Prompt, read_prompts
from ngramspec.files import writing
from ngramspec.pico.demo_inputs import demo_inputs
from ngramspec.replay.pretrained import PICO
from ngramspec.simulate.page import page

if TYPE_CHECKING:
    from ngramspec.bench import Benched

TITLE = "Speculation with your model and prompts"
DEFAULT_BATCHES = "1,4,16"
SEED = 0
"""Seed of the order of the prompts: files have one kind of traffic after another, services get them mixed."""


def bench(
    model: Annotated[str, typer.Argument(help="pico, a model's folder, or its name on the hub.")] = PICO,
    prompts: Annotated[
        str | None,
        typer.Option(
            help='A .jsonl file of {"prompt": text} or {"messages": […]} per line, each with a "segment" if you like.'
            " With pico, by default the texts of the demo."
        ),
    ] = None,
    batch: Annotated[str, typer.Option(help="Prompts that are decoded together.")] = DEFAULT_BATCHES,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest output, in tokens.")] = 128,
    chat: Annotated[bool, typer.Option("--chat", help="Put prompts through the tokenizer's chat template.")] = False,
    dtype: Annotated[str | None, typer.Option(help="The precision to compute in, by default the model's own.")] = None,
    costs: Costs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report to this file: one page, with plots.")] = None,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Measure what drafts bring for your model and prompts: seconds of each request, tokens per second, acceptance.

    Plain decoding, transformers' own prompt lookup (one prompt at a time) and drafts take turns, greedily. Every text
    is compared; exit code 1 if drafts change one. The machine should do nothing else meanwhile.
    """
    sizes = batch_sizes(batch)
    rows = _rows(model, prompts, max_bytes)
    fitting = [size for size in sizes if size <= len(rows)]
    if not fitting:
        raise typer.BadParameter(
            f"--batch must fit the {len(rows)} prompts, got {batch}: write a smaller one, or add prompts"
        )

    from ngramspec.bench import Request
    from ngramspec.bench import bench as measure
    from ngramspec.cli.loading import load

    loaded = load(model, dtype)
    loaded.check_room(rows, max_new_tokens, chat=chat)
    loaded.encode(rows[: fitting[-1]], chat=chat)  # raises if a batch needs what the tokenizer lacks
    order = np.random.default_rng(SEED).permutation(len(rows)).tolist()
    requests = [
        Request(loaded.encode([rows[index]], chat=chat)["input_ids"][0].tolist(), rows[index].segment)
        for index in order
    ]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Decoding", total=None)
        made = measure(
            loaded.model,
            requests,
            fitting,
            max_new_tokens=max_new_tokens,
            pad_token=loaded.tokenizer.pad_token_id,
            costs=costs,
            progress=lambda total: progress.update(task, advance=1, total=total),
        )
    about = _about(loaded, made, sizes[len(fitting) :], max_new_tokens)
    if html is not None:
        writing.replace(html, [page(made.found, about, TITLE).encode()])
    if as_json:
        print(json.dumps({"about": about} | made.found.as_dict(), indent=2))
    else:
        show(made.found, about)
    if made.num_changed:
        raise typer.Exit(1)


def _rows(model: str, file: str | None, max_bytes: int) -> list[Prompt]:
    if file is not None:
        return read_prompts(file, max_bytes).rows
    if model != PICO:
        raise typer.BadParameter(f"--prompts is needed for any model but {PICO}, got none: name a file of your prompts")
    return [Prompt(job.prompt, job.name, segment=job.name) for job in demo_inputs()]


def _about(loaded: Loaded, made: "Benched", left_out: list[int], max_new_tokens: int) -> list[str]:
    results = made.found.results
    lines = [
        f"{results[0].total.off.requests} prompts, {loaded}, greedy, up to {max_new_tokens} new tokens; the time of a"
        " request is that of its batch.",
        ". ".join(
            f"Same text as plain decoding, {result.load:g} in a batch: "
            + ", ".join(
                f"{name} {same} of {result.total.off.requests}" for name, same in result.total.identical.items()
            )
            for result in results
        )
        + ".",
    ]
    if made.refusal is not None:
        lines.append(f"transformers' prompt lookup is left out, because it refuses: {made.refusal}")
    if left_out:
        lines.append(f"Batches of {', '.join(map(str, left_out))} left out: there are fewer prompts.")
    reason = why_texts_may_differ(loaded.dtype)
    if reason is not None and any(
        same < result.total.off.requests for result in results for same in result.total.identical.values()
    ):
        lines.append(reason)
    return lines
