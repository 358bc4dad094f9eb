"""`ngramspec check`: does speculation give plain decoding's text, on this model and these prompts?"""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ngramspec.cli.endings import INTERRUPTED
from ngramspec.cli.loading import load
from ngramspec.cli.models import MAX_SEED
from ngramspec.cli.prompts import MAX_BYTES, MaxBytes, read_prompts

if TYPE_CHECKING:
    from ngramspec.testing.equivalence import EquivalenceCheck

EXIT_CODES = {"identical": 0, "near-tie": 0, "defect": 1, "untested": 3}
"""2 is the code of errors that the user can fix: options, files, prompts, models that cannot be loaded."""


class Precision(StrEnum):
    """Precisions that a model can compute in."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def check(
    prompts: Annotated[
        str,
        typer.Option(
            help='A .jsonl file of one {"prompt": text} or {"messages": […]} per line, or any other file of one prompt'
            ' per line. "-" is standard input, of either kind.'
        ),
    ],
    model: Annotated[str, typer.Option(help="pico, a model's folder, or its name on the hub.")] = "pico",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest output, in tokens.")] = 64,
    max_draft_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The same draft length in every pass, so that every run makes the same passes."
            " By default as long as it pays, as in your own calls.",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Prompts that are decoded together, besides each alone.")] = 4,
    chat: Annotated[bool, typer.Option("--chat", help="Put prompts through the tokenizer's chat template.")] = False,
    dtype: Annotated[
        Precision | None,
        typer.Option(help="The precision to compute in, by default the saved one; float64 rules out rounding."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the sampled texts, and of what is drafted wrong.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Compare speculation with plain decoding: greedy and sampled, each prompt alone and in batches.

    For the first difference in a text it prints the position, the two tokens, and whether rounding explains it:
    "near-tie" if plain decoding would also choose the other token once its logits move by no more than this model's
    one-token and many-token passes were measured to differ, else "defect". Drafts come from a Speculator with default
    settings, and from an oracle that knows the text and corrupts part of it.

    If interrupted, it prints what it has found so far.

    Exit code 0: identical, or near-ties only. 1: a defect. 2: an option, a file or a prompt is wrong. 3: untested,
    because the model cannot be drafted for, or no draft was accepted, or none rolled back. 130: interrupted. 141: the
    reader of the output has gone.
    """
    given = read_prompts(prompts, max_bytes, by_line=True)

    from ngramspec.cli.findings import as_dict, show
    from ngramspec.testing.equivalence import EquivalenceCheck

    loaded = load(model, dtype)
    loaded.check_room(given.rows, max_new_tokens, chat=chat)
    checked = EquivalenceCheck(
        loaded.model,
        [loaded.encode([prompt], chat=chat)["input_ids"][0].tolist() for prompt in given.rows],
        max_new_tokens=max_new_tokens,
        batch=batch,
        max_draft_tokens=max_draft_tokens,
        seed=seed,
    )
    num_done = _run(checked)
    report, is_whole = checked.report(), num_done == checked.num_batches
    if as_json:
        found = as_dict(report, loaded, given.rows)
        found |= {"batches": checked.num_batches, "batches_done": num_done}
        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        show(report, loaded, given, until=None if is_whole else f"{num_done} of {checked.num_batches} batches")
    raise typer.Exit(EXIT_CODES[report.finding] if is_whole or report.reason is not None else INTERRUPTED)


def _run(checked: "EquivalenceCheck") -> int:
    """Run the check; returns the number of finished batches: all, unless it was interrupted.

    On a terminal it shows a progress bar; in a pipe it prints a line per finished mode.
    """
    from ngramspec.cli.findings import line

    console = Console(stderr=True, highlight=False)
    num_done = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("batches", total=checked.num_batches)
        try:
            for num_done in checked.run():
                progress.update(task, completed=num_done)
                mode = checked.finished(num_done)
                if mode is not None and not console.is_terminal:
                    print(f"{line(mode)} ({num_done} of {checked.num_batches} batches)", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pass  # the findings so far are still reported
    return num_done
