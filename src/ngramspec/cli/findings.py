"""The output of `ngramspec check`: a table of what was tried, the differences, and a verdict."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from ngramspec.cli.models import Loaded
from ngramspec.cli.prompts import Prompt, Prompts
from ngramspec.cli.render import WRONG, show_table
from ngramspec.cli.terminal import text
from ngramspec.testing import Difference, Finding, Mode, Report

COLUMNS = ("texts", "tokens", "accepted", "rolled back", "differ", "finding")
SHOWN = 3
"""Most differences of a mode that are printed; --json has all."""

VERDICTS: dict[Finding, str] = {
    "identical": "identical: every text, token by token",
    "near-tie": "near-tie: texts differ only where the measured rounding is enough to turn plain decoding's own choice",
    "untested": "untested: no draft was accepted, or none rolled back, so equal texts prove nothing;"
    " try longer outputs or other prompts",
    "defect": "defect: with drafts something is not as in plain decoding, and rounding does not explain it",
}


def as_dict(report: Report, loaded: Loaded, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """The report for machines: what was checked, the versions, the origin of each prompt, and the findings."""
    return {
        "model": loaded.name,
        "versions": {package: version(package) for package in ("ngramspec", "torch", "transformers")},
        "prompts": [prompt.origin for prompt in prompts],
        **report.as_dict(),
    }


def line(mode: Mode) -> str:
    """A finished mode, in one line."""
    return f"{_name(mode)}: {mode.finding}; {mode.texts} texts, {len(mode.differences)} differ"


def show(report: Report, loaded: Loaded, prompts: Prompts, until: str | None = None) -> None:
    """Print the report for people; until: how far the check got, if it was interrupted."""
    console = Console(highlight=False)
    _print(console, f"{loaded}\n{prompts.origin}")
    if until is not None:
        _print(console, f"interrupted: what follows was found in {until}", WRONG)
    if report.reason is not None:
        _print(console, f"untested: {report.reason}", WRONG)
        return
    show_table(console, _table(report.modes))
    for mode in report.modes:
        _print(console, f"{_name(mode)}: against {mode.reference}{_states(mode)}{_logits(mode)}", "dim")
    for mode in report.modes:
        for difference in mode.differences[:SHOWN]:
            _print(console, f"\n{_name(mode)}, {_described(difference, loaded, prompts.rows)}")
        if len(mode.differences) > SHOWN:
            _print(console, f"{_name(mode)}: {len(mode.differences) - SHOWN} more differences, which --json lists")
    _print(console, f"\n{VERDICTS[report.finding]}", "" if report.finding in ("identical", "near-tie") else WRONG)


def _table(modes: Sequence[Mode]) -> Table:
    table = Table("", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for mode in modes:
        figures = (mode.texts, mode.tokens, mode.num_accepted_tokens, mode.num_rolled_back_tokens)
        table.add_row(_name(mode), *map(str, figures), str(len(mode.differences)), mode.finding)
    return table


def _described(difference: Difference, loaded: Loaded, prompts: Sequence[Prompt]) -> str:
    plain, other = (
        "the end" if token is None else f"{loaded.tokenizer.decode([token])!r} ({token})"
        for token in (difference.plain_token, difference.speculative_token)
    )
    return (
        f"{prompts[difference.prompt].origin}, emitted token {difference.position}: {difference.finding}\n"
        f"  plain chose {plain}, with drafts ({difference.drafter}) {other}\n"
        f"  {difference.evidence}"
    )


def _states(mode: Mode) -> str:
    if not mode.states:
        return ""
    if mode.state_differences:
        return f"; the random generator was left in another state by {mode.state_differences} calls"
    return ", text and final state of the random generator"


def _logits(mode: Mode) -> str:
    if mode.logits_difference is None:
        return ""
    limit = "" if mode.logits_limit is None else f" (rounding explains {mode.logits_limit:.2g})"
    return f"; logits differ by up to {mode.logits_difference:.2g}{limit}"


def _name(mode: Mode) -> str:
    return f"{mode.name}, {'alone' if mode.batch == 1 else f'batch {mode.batch}'}"


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(text(line, style), soft_wrap=True)
