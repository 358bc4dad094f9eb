"""Figures at several loads as one table, with their verdicts."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ngramspec.cli.render import show_table
from ngramspec.cli.terminal import text
from ngramspec.printing import on_one_line, printable
from ngramspec.simulate import Pair, Simulation
from ngramspec.simulate.page import COLUMNS, cells


def show(found: Simulation, about: Sequence[str]) -> None:
    """Print the results of a simulation or measurement: about, the figures by segment and load, verdicts, formulas."""
    console = Console()
    for line in about:
        print(printable(line))
    table = Table("segment", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in (found.unit, "", "gain", *COLUMNS):
        table.add_column(column.replace(" ", "\n"), justify="right", vertical="bottom")
    for name in found.segments:
        for result in found.results:
            _add(table, on_one_line(name), result.load, result.segments[name])
    for result in found.results:
        _add(table, "all", result.load, result.total)
    show_table(console, table)
    for name, verdict in found.segments.items():
        print(f"\n{on_one_line(name)}: {verdict.words}")
    print(f"\nAll: {found.total.words}")
    for result in found.results:
        if result.formula is not None:
            print(f"{result.load:g} {found.unit}: {result.formula}")


def _add(table: Table, name: str, load: float, pair: Pair) -> None:
    table.add_row(text(name), f"{load:g}", "plain", "", *cells(pair.off))
    for other, figures in pair.others.items():
        gain = pair.off.mean_latency_s / figures.mean_latency_s
        table.add_row("", "", text(other), f"{gain:.2f}", *cells(figures))
    table.add_row("", "", "drafts", f"{pair.gain.ratio:.2f}", *cells(pair.on))
