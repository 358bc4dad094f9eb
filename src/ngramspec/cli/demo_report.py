"""The output of the demo: each job's text with its drafts in colour, then one table."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ngramspec.cli.compare import why_texts_may_differ
from ngramspec.cli.demo_job import ROUNDS, JobResult
from ngramspec.cli.models import Loaded
from ngramspec.cli.render import ACCEPTED, WRONG, difference, drafted_text, has_colour, indented, show_table
from ngramspec.cli.terminal import text
from ngramspec.pico.demo_inputs import DemoInput

COLUMNS = ("tokens", "passes\nfirst", "\nthen", "tokens\nper\npass", "plain", "with\ndrafts", "ratio", "same\ntext",
           "right\nanswer")  # fmt: skip


class DemoReport:
    """Prints the demo's results to `console`, in order."""

    def __init__(self, console: Console, loaded: Loaded) -> None:
        self._console = console
        self._loaded = loaded

    def begin(self, max_draft_tokens: int | None, jobs: Sequence[DemoInput]) -> None:
        """Print what is shown, how the jobs were chosen and, if there is colour, what that means."""
        drafts = "default settings" if max_draft_tokens is None else f"drafts of up to {max_draft_tokens} tokens"
        self._print(text(f"{self._loaded}, greedy, {drafts}"))
        looked_at = ", ".join(f"{job.looked_at} ({job.name})" for job in jobs)
        rule = Text(
            "Jobs: of each kind the first held-back one that pico answers right by plain decoding, judged before"
            f" anything is drafted. Looked at: {looked_at}."
        )
        self._print(*indented(self._console, rule, ""))
        if has_colour(self._console):
            self._print(Text.assemble(("This colour", ACCEPTED), ": drafted from the text so far, and accepted."))

    def show(self, result: JobResult) -> None:
        """Print one job: prompt, answer, the expected answer if that is wrong, and figures."""
        drafted = drafted_text(self._loaded.tokenizer, result.tokens, result.accepted)
        self._print(Text(f"\n{result.job.name}", "bold").append(f"  {result.job.origin}\n", "not bold dim"))
        self._print(*indented(self._console, Text(result.job.prompt.rstrip(), "dim")))
        self._print(*indented(self._console, drafted), Text())
        if not result.right:
            self._print(*difference(self._console, result.job.expected, result.answer), Text())
        self._print(*indented(self._console, _figures(result)))

    def end(self, results: Sequence[JobResult]) -> None:
        """Print the summary."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("")
        for name in COLUMNS:
            table.add_column(name, justify="right", vertical="bottom")
        for result in results:
            table.add_row(
                result.job.name,
                str(result.last.tokens),
                str(result.first.target_passes),
                str(result.last.target_passes),
                f"{result.last.tokens_per_pass:.2f}",
                f"{result.plain_seconds:.2f} s",
                f"{result.speculative_seconds:.2f} s",
                result.ratio,
                *_judgements(result),
            )
        self._console.print()
        show_table(self._console, table)
        reason = why_texts_may_differ(self._loaded.dtype)
        if reason is not None and not all(result.identical for result in results):
            self._print(Text(f"\n{reason}", WRONG))
        self._print(
            Text(
                f"\nTimes are medians of up to {ROUNDS} rounds, plain and drafted in turn, after a first request of"
                " each job, in which passes have no prices yet. A ratio of two figures is the middle half of the"
                " rounds, where they disagree.",
                "dim",
            )
        )

    def _print(self, *lines: Text) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)


def _figures(result: JobResult) -> Text:
    first, last = result.first, result.last
    identical, answer = _judgements(result)
    return Text.assemble(
        f"{last.tokens} tokens in {last.target_passes} target passes: {last.tokens_per_pass:.2f} per pass,"
        f" {last.num_accepted_tokens} tokens from drafts; the first request took {first.target_passes} passes\n"
        f"{result.plain_seconds:.2f} s plain, {result.speculative_seconds:.2f} s with drafts; identical: ",
        identical,
        "; answer: ",
        answer,
    )


def _judgements(result: JobResult) -> tuple[Text, Text]:
    """Whether the text is identical to plain decoding's, and whether the answer is right."""
    identical = Text("yes") if result.identical else Text("no", WRONG)
    answer = Text("right") if result.right else Text("wrong", WRONG)
    return identical, answer
