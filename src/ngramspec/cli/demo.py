"""`ngramspec demo`: three jobs, decoded plainly and with speculation, and whether the texts are equal."""

from typing import Annotated

import typer
from rich.console import Console

from ngramspec.cli.budgets import MaxDraftTokens, budget_of
from ngramspec.cli.loading import load
from ngramspec.pico.demo_inputs import demo_inputs


def demo(
    model: Annotated[str, typer.Option(help="pico, a model's folder, or its name on the hub.")] = "pico",
    max_draft_tokens: MaxDraftTokens = None,
) -> None:
    """Rename, extract and correct with a small model, beside plain decoding; exit code 1 if the texts differ."""
    from ngramspec.cli.demo_job import run
    from ngramspec.cli.demo_report import DemoReport

    console = Console(highlight=False)
    with console.status("Loading the model"):
        loaded = load(model)
    report = DemoReport(console, loaded)
    jobs = demo_inputs()
    report.begin(max_draft_tokens, jobs)
    budget = budget_of(max_draft_tokens)
    results = []
    for job in jobs:
        with console.status(job.name):
            results.append(run(job, loaded, budget=budget))
        report.show(results[-1])
    report.end(results)
    if not all(result.identical for result in results):
        raise typer.Exit(1)
