"""How the demo looks: each job's text with its drafts in colour, then one table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ngramspec.cli.render import ACCEPTED, WRONG, difference, drafted_text, has_colour, indented
from ngramspec.cli.trial import ROUNDS, Result

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Report:
    """Prints to `console` what the demo has to say, in order."""

    def __init__(self, console: Console, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._console = console
        self._tokenizer = tokenizer

    def begin(self, subject: str) -> None:
        """Say what is shown, and what the colour means where there is one."""
        self._print(Text(subject))
        if has_colour(self._console):
            self._print(
                Text("This colour", ACCEPTED).append(": drafted from the text so far, and accepted.", "default")
            )

    def show(self, result: Result) -> None:
        """Show one job: task, answer, figures, and what was expected if the answer is wrong."""
        self._print()
        self._print(Text(result.job.name, "bold").append(f"  {result.job.task}", "not bold"))
        self._print()
        self._print(*indented(self._console, drafted_text(self._tokenizer, result.tokens, result.accepted)))
        self._print()
        if not result.right:
            self._print(*indented(self._console, difference(result.job.answer, result.answer)))
            self._print()
        self._print(*indented(self._console, Text("\n".join(_figures(result)), "dim")))

    def end(self, results: Sequence[Result]) -> None:
        """Sum up."""
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, header_style="default")
        table.add_column("")
        for name in (
            "tokens",
            "target\npasses",
            "tokens\nper pass",
            "plain",
            "with\ndrafts",
            "speedup",
            "identical",
            "answer",
        ):
            table.add_column(name, justify="right", vertical="bottom")
        for result in results:
            table.add_row(
                result.job.name,
                str(result.counters.tokens),
                str(result.counters.target_passes),
                f"{result.counters.tokens_per_pass:.2f}",
                f"{result.plain_seconds:.2f} s",
                f"{result.speculative_seconds:.2f} s",
                f"{result.speedup:.1f}x",
                Text(_yes(result.identical), "" if result.identical else WRONG),
                Text("right") if result.right else Text("wrong", WRONG),
            )
        self._console.print()
        self._console.print(table)
        self._print(
            Text(f"Plain decoding and drafts took turns, {ROUNDS} rounds after a warm-up: median wall times.", "dim")
        )

    def _print(self, *lines: Text) -> None:
        for line in lines or [Text()]:
            self._console.print(line, soft_wrap=True)


def _figures(result: Result) -> list[str]:
    counters = result.counters
    return [
        f"{counters.tokens} tokens in {counters.target_passes} target passes, {counters.tokens_per_pass:.2f} per pass",
        f"plain {result.plain_seconds:.2f} s, with drafts {result.speculative_seconds:.2f} s;"
        f" identical: {_yes(result.identical)}; answer: {'right' if result.right else 'wrong'}",
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
