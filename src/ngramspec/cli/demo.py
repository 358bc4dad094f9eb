"""`ngramspec demo`: three jobs, done plainly and with speculation, and whether it is the same text."""

from typing import Annotated

import typer
from rich.console import Console

from ngramspec.cli.loading import load
from ngramspec.pico.demo_inputs import demo_inputs


def demo(
    model: Annotated[str, typer.Option(help="pico, a model's folder, or its name on the hub.")] = "pico",
    max_draft_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The same draft length in every pass, so that every run makes the same passes; 0 drafts nothing."
            " By default as long as it pays.",
        ),
    ] = None,
) -> None:
    """Rename, extract and correct with a small model, beside plain decoding; exit code 1 if the texts differ."""
    from ngramspec.cli.report import Report
    from ngramspec.cli.trial import run
    from ngramspec.decoding import FixedBudget

    console = Console(highlight=False)
    with console.status("Loading the model"):
        loaded = load(model)
    report = Report(console, loaded)
    report.begin(max_draft_tokens)
    budget = None if max_draft_tokens is None else FixedBudget(max_draft_tokens)
    results = []
    for job in demo_inputs():
        with console.status(job.name):
            results.append(run(job, loaded, budget=budget))
        report.show(results[-1])
    report.end(results)
    if not all(result.identical for result in results):
        raise typer.Exit(1)
