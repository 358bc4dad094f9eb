"""The results as tables: of all rules, by segment, and of the gain of each idea."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.ablations import Ablation
from benchmarks.results import Result, drafted_per_pass
from benchmarks.rules import BATCHES
from ngramspec.testing.loop_time import loop_time

SHOWN = (1, 32)
"""Batch sizes of the table by segment; JSON has all."""


def rules_table(ours: Result, others: Sequence[Result]) -> Table:
    """A row for each rule, with the speed-up in each batch; ours has a row for each batch. * is a column's best."""
    table = Table("drafter", "rule", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("tokens per pass", "drafted per pass", *(f"N = {batch}" for batch in BATCHES), "µs per token"):
        table.add_column(column, justify="right")
    done = [result for result in (*others, ours) if result.reports]
    best = {batch: max(result.speedup(batch) for result in done) for batch in BATCHES}
    most = max(report.total.counters.tokens_per_pass for result in done for report in result.reports.values())
    for result in others:
        if not result.reports:
            table.add_row(result.rule.name, result.rule.settings, "not installed")
            continue
        table.add_row(result.rule.name, result.rule.settings, *_cells(result, BATCHES[0], BATCHES, best, most))
    for batch in BATCHES:
        table.add_row(ours.rule.name, f"{ours.rule.settings}, N = {batch}", *_cells(ours, batch, (batch,), best, most))
    table.add_section()
    table.add_row("", "ours over the best other", "", "", *_leads(ours, others), "")
    return table


def _cells(result: Result, batch: int, batches: Iterable[int], best: dict[int, float], most: float) -> list[str]:
    total = result.reports[batch].total
    speedups = [_marked(result.speedup(each), best[each]) if each in batches else "" for each in BATCHES]
    time = f"{total.drafting_ns / 1e3 / max(total.counters.tokens, 1):.1f}" if result.rule.timed else "-"
    return [_marked(total.counters.tokens_per_pass, most), f"{drafted_per_pass(total):.1f}", *speedups, time]


def _marked(value: float, best: float) -> str:
    return f"{value:.2f}{'*' if value == best else ' '}"


def _leads(ours: Result, others: Sequence[Result]) -> list[str]:
    best = [max(other.speedup(batch) for other in others if other.reports) for batch in BATCHES]
    return [f"{ours.speedup(batch) / other - 1:+.1%}" for batch, other in zip(BATCHES, best, strict=True)]


def hosted_table(ours: Result, others: Sequence[Result]) -> Table:
    """The speed-up of all requests with host time in each pass, and by how much that is lower; for timed rules."""
    loop = loop_time()
    title = (
        "Modelled speed-up with the host's time on this machine in each pass: the CPU time of drafting, and of the loop"
        f" {1e6 * loop.of_pass:.0f} µs and {1e6 * loop.of_row:.1f} µs for each row. Nothing is added to plain decoding."
        " µs: of drafting, per row and pass."
    )
    table = Table("drafter", title=title, title_justify="left", title_style="", box=SIMPLE_HEAD, pad_edge=False)
    for batch in BATCHES:
        table.add_column(f"N = {batch}", justify="right")
        table.add_column("", justify="right")
        table.add_column("µs", justify="right")
    for result in (*others, ours):
        if result.reports and result.rule.timed:
            table.add_row(result.rule.name, *(cell for batch in BATCHES for cell in _hosted_cells(result, batch)))
    return table


def _hosted_cells(result: Result, batch: int) -> tuple[str, str, str]:
    hosted = result.speedup_with_host(batch)
    drafting = result.reports[batch].total.drafting_of_pass
    return f"{hosted:.2f}", f"{hosted / result.speedup(batch) - 1:+.1%}", f"{1e6 * drafting:.1f}"


def segments_table(ours: Result, others: Sequence[Result]) -> Table:
    """By segment: ours, and the best other rule, chosen in hindsight."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("segment", no_wrap=True)
    table.add_column("tokens", justify="right")
    for batch in SHOWN:
        table.add_column("per pass", justify="right")
        table.add_column(f"N = {batch}", justify="right")
        table.add_column("the best other")
    done = [other for other in others if other.reports]
    for name, report in sorted(ours.reports[SHOWN[0]].segments.items()):
        cells = []
        for batch in SHOWN:
            best = max(done, key=lambda other: other.speedup(batch, name))
            own, other = ours.speedup(batch, name), best.speedup(batch, name)
            per_pass = ours.reports[batch].segments[name].counters.tokens_per_pass
            cells += [
                f"{per_pass:.2f}",
                _marked(own, max(own, other)),
                f"{_marked(other, max(own, other))} {best.rule.name}",
            ]
        table.add_row(name, str(report.counters.tokens), *cells)
    return table


def ablations_table(ablations: Sequence[Ablation], ablated: Sequence[Result], known: dict[str, Result]) -> Table:
    """The speed-up without each idea, and by how much that is lower; known: results by name of rule."""
    table = Table("", "what is otherwise", "than", box=SIMPLE_HEAD, pad_edge=False)
    for batch in BATCHES:
        table.add_column(f"N = {batch}", justify="right")
        table.add_column("", justify="right")
    for ablation, result in zip(ablations, ablated, strict=True):
        than = known[ablation.than]
        if not result.reports:
            table.add_row(ablation.rule.name, ablation.rule.settings, than.rule.name, "not installed")
            continue
        cells = []
        for batch in BATCHES:
            speedup = result.speedup(batch)
            cells += [f"{speedup:.3f}", f"{speedup / than.speedup(batch) - 1:+.1%}"]
        table.add_row(ablation.rule.name, ablation.rule.settings, than.rule.name, *cells)
    return table
