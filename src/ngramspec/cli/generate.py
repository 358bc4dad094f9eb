"""`ngramspec generate`: text from any causal model, in fewer passes."""

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.cli.budgets import Costs, MaxDraftTokens, budget_of
from ngramspec.cli.constraints import constraint_source
from ngramspec.cli.models import MAX_SEED
from ngramspec.cli.prompts import MAX_BYTES, MaxBytes, Prompt, Prompts, read_prompts
from ngramspec.cli.terminal import for_standard_output, json_line
from ngramspec.cli.terminal import text as shown_text
from ngramspec.errors import RefusedError
from ngramspec.guards.source import Backend, Whitespace
from ngramspec.printing import printable
from ngramspec.replay import Recording


def generate(
    prompt_file: Annotated[
        str,
        typer.Option(
            help='One prompt, or with the suffix .jsonl one {"prompt": text} or {"messages": […]} per line.'
            ' "-" is standard input, of either kind.'
        ),
    ],
    model: Annotated[str, typer.Option(help="pico, a model's folder, or its name on the hub.")] = "pico",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest output, in tokens.")] = 256,
    max_draft_tokens: MaxDraftTokens = None,
    costs: Costs = None,
    segment: Annotated[
        str | None,
        typer.Option(
            help="A name for this traffic: later prompts are drafted for from earlier answers. A line of a .jsonl file"
            ' may have its own "segment".'
        ),
    ] = None,
    schema: Annotated[str | None, typer.Option(help="Write JSON that fits the JSON schema in this file.")] = None,
    regex: Annotated[str | None, typer.Option(help="Write text that matches this regex.")] = None,
    grammar: Annotated[str | None, typer.Option(help="Write text of the grammar in this file, Lark or GBNF.")] = None,
    backend: Annotated[
        Backend, typer.Option(help="With --schema, --regex or --grammar: what reads it.")
    ] = "llguidance",
    whitespace: Annotated[
        Whitespace | None, typer.Option(help="With --schema: between the tokens of JSON, flexible by default.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Prompts that are decoded together.")] = 1,
    chat: Annotated[bool, typer.Option("--chat", help="Put prompts through the tokenizer's chat template.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Sample instead of the greedy choice.")] = False,
    temperature: Annotated[float | None, typer.Option(help="With --sample; the model's own by default.")] = None,
    top_p: Annotated[float | None, typer.Option(help="With --sample; the model's own by default.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="With --sample: the same seed, the same text.")] = 0,
    compare: Annotated[
        bool, typer.Option("--compare", help="Decode plainly too; exit code 1 if the texts differ.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(help="A file to which each answer is appended, with the likeliest tokens at each position."),
    ] = None,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Generate text. It goes to standard output, statistics go to standard error.

    The text of one prompt is streamed. For a .jsonl file each result is a line of {"prompt", "output"}, or of
    {"messages"} with the answer appended, and its "segment" if it has one, which `ngramspec replay` reads.
    """
    settings = _settings(sample=sample, temperature=temperature, top_p=top_p)
    if compare and sample and batch > 1:
        raise RefusedError(
            "--compare with --sample needs --batch 1, because rows of a batch draw from generators of their own"
            f" (plain decoding's distribution, not its text), got --batch {batch}"
        )
    source = constraint_source(schema=schema, regex=regex, grammar=grammar, whitespace=whitespace)
    prompts = read_prompts(prompt_file, max_bytes)
    with nullcontext() if record is None else Recording(record) as recording:
        import torch

        from ngramspec.cli.loading import load
        from ngramspec.cli.timed_decoder import TimedDecoder
        from ngramspec.hf import Speculator

        spec = Speculator(budget=budget_of(max_draft_tokens))
        if costs is not None:
            spec.load_costs(costs)
        loaded = load(model)
        guard = None if source is None else source.guard(loaded.tokenizer, backend)
        loaded.check_room(prompts.rows, max_new_tokens, chat=chat)
        settings = {"max_new_tokens": max_new_tokens} | settings
        run = TimedDecoder(
            loaded, spec, chat=chat, settings=settings, guard=guard, segment=segment, recording=recording
        )
        torch.manual_seed(seed)
        if prompts.are_lines or compare:
            _write(prompts, batch, run.compare if compare else run.decode, run.record)
        else:
            run.stream(prompts.rows[0])
            run.record()
    print(printable(f"{spec.stats}\n{run}\n{prompts.origin}"), file=sys.stderr)
    if run.num_identical < run.num_compared:
        raise typer.Exit(1)


def _write(
    prompts: Prompts, batch: int, decode: Callable[[Sequence[Prompt]], list[str]], record: Callable[[], None]
) -> None:
    """Print each text once it is done, with a progress bar on standard error, and record it then."""
    console = Console(stderr=True, highlight=False)
    shown = console.is_terminal and len(prompts.rows) > 1
    with Progress(console=console, transient=True, disable=not shown, redirect_stdout=False) as progress:
        task = progress.add_task("prompts", total=len(prompts.rows))
        for start in range(0, len(prompts.rows), batch):
            rows = prompts.rows[start : start + batch]
            for prompt, text in zip(rows, decode(rows), strict=True):
                line = json_line(prompt.recording_row(text)) if prompts.are_lines else for_standard_output(text)
                if shown and sys.stdout.isatty():
                    console.print(shown_text(line), soft_wrap=True)  # above the bar, on the same terminal
                else:
                    print(line, flush=True)  # a reader of the pipe sees each text once it is done
            record()
            progress.advance(task, len(rows))


def _settings(*, sample: bool, temperature: float | None, top_p: float | None) -> dict[str, Any]:
    if temperature is not None and not 0 < temperature < math.inf:
        raise typer.BadParameter(
            f"--temperature must be > 0 and finite, got {temperature}: leave --sample out for greedy decoding"
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise typer.BadParameter(f"--top-p must be > 0 and <= 1, got {top_p}")
    given = {name: value for name, value in (("temperature", temperature), ("top_p", top_p)) if value is not None}
    if given and not sample:
        raise typer.BadParameter("--temperature and --top-p are for sampling: add --sample, or leave them out")
    return {"do_sample": sample, **given}
