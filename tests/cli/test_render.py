"""Accepted drafts are in colour, if there is colour."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ngramspec.cli.compare import Comparison
from ngramspec.cli.demo_job import JobResult
from ngramspec.cli.demo_report import DemoReport
from ngramspec.cli.models import Loaded
from ngramspec.cli.render import ACCEPTED, difference, drafted_text, indented, show_table
from ngramspec.pico.demo_inputs import DemoInput
from ngramspec.stats import Counters


def bytes_tokenizer() -> Any:
    """One token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=raw)


def coloured(text: Any) -> str:
    return "".join(text.plain[span.start : span.end] for span in text.spans if span.style == ACCEPTED)


def test_accepted_tokens_are_coloured_and_the_text_is_whole() -> None:
    tokenizer = bytes_tokenizer()
    text = drafted_text(tokenizer, tokenizer.encode("abcd"), [True, False, True, True])
    assert text.plain == "abcd"
    assert coloured(text) == "acd"


def test_a_character_of_several_tokens_takes_the_colour_of_its_last() -> None:
    tokenizer = bytes_tokenizer()
    tokens = tokenizer.encode("aé€z")  # 1, 2, 3 and 1 bytes
    text = drafted_text(tokenizer, tokens, [False, True, False, False, False, True, False])
    assert text.plain == "aé€z"
    assert coloured(text) == "€"


def test_a_text_that_ends_within_a_character_is_shown_to_its_end() -> None:
    tokenizer = bytes_tokenizer()
    text = drafted_text(tokenizer, tokenizer.encode("aé")[:-1], [False, True])
    assert text.plain == "a\N{REPLACEMENT CHARACTER}"


def test_lines_are_indented_wrapped_and_keep_their_own_indentation() -> None:
    console = Console(width=14)
    text = drafted_text(bytes_tokenizer(), [], []).append("def f():\n    return 1 + 2 + 3")
    assert [line.plain for line in indented(console, text)] == ["    def f():", "        return", "    1 + 2 + 3"]


def test_only_lines_that_differ_are_shown_as_a_difference() -> None:
    lines = difference(Console(width=80), "a\nb\nc", "a\nx\nc")
    assert [line.plain for line in lines] == ["    expected  b", "         got  x"]


@pytest.mark.parametrize("missing", ["", "\nb"])
def test_a_line_too_few_or_too_many_is_a_difference(missing: str) -> None:
    expected, actual = "a\nb", "a\nb".removesuffix(missing) + ("" if missing else "\nb")
    assert len(difference(Console(width=80), expected, actual)) == 1


def rounds(plain: float, drafted: float) -> Comparison:
    return Comparison(torch.tensor([[1]]), torch.tensor([[1]]), plain, drafted)


def shown(console: Console, *seconds: float) -> str:
    """What the demo shows of a job whose rounds took so long plainly, and a tenth of a second with drafts."""
    tokenizer = bytes_tokenizer()
    seconds = seconds or (0.2,)
    job = DemoInput("edit", "somewhere", "### repeat\nabcd\n### answer\n", "abcd")
    result = JobResult(
        job,
        answer="abcd",
        tokens=tokenizer.encode("abcd"),
        accepted=[False, True, True, False],
        first=Counters(),
        last=Counters(tokens=216, target_passes=29),
        rounds=[rounds(plain, 0.1) for plain in seconds],
        identical=True,
    )
    model: Any = SimpleNamespace(num_parameters=lambda: 1, dtype="torch.float32", device=SimpleNamespace(type="cpu"))
    report = DemoReport(console, Loaded("tiny", model, tokenizer))
    report.begin(None, [job])
    report.show(result)
    report.end([result])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_drafts_in_colour_with_a_legend() -> None:
    text = shown(Console(file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False))
    assert "    a\x1b[32mbc\x1b[0md" in text.replace("\x1b[0m\x1b[32m", "")
    assert "\x1b[32mThis colour\x1b[0m: drafted" in text


def test_without_colour_there_is_no_legend_and_the_text_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(Console(file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False))
    assert "\x1b[32m" not in text
    assert "This colour" not in text
    assert "    abcd" in text


@pytest.mark.parametrize("seconds", [(0.2,), (1.0, 1.24, 1.31, 1.4)])
def test_the_summary_fits_eighty_columns_and_ends_no_line_with_spaces(seconds: tuple[float, ...]) -> None:
    lines = shown(Console(file=io.StringIO(), width=80, highlight=False), *seconds).splitlines()
    assert all(len(line) <= 80 for line in lines[:-1])  # the last one wraps as text does
    assert [line for line in lines[:-6] if line != line.rstrip()] == []
    assert "edit" in lines[-3]


@pytest.mark.parametrize(
    ("seconds", "ratio"),
    [
        ((0.31,), "3.1x"),
        ((0.30, 0.31, 0.31, 0.32), "3.1x"),
        ((0.31, 0.31, 0.31, 0.31, 3.0), "3.1x"),  # one round was disturbed
        ((0.2, 0.3, 0.4, 0.5, 0.6), "3.0-5.0x"),
    ],
)
def test_rounds_that_disagree_make_no_single_ratio(seconds: tuple[float, ...], ratio: str) -> None:
    text = shown(Console(file=io.StringIO(), width=80, highlight=False), *seconds)
    assert ratio in next(line for line in text.splitlines() if line.startswith("edit   ")).split()


def figures() -> Table:
    table = Table("", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("tokens\nper pass", "acceptance", "passes"):
        table.add_column(name)
    table.add_row("a kind of traffic", "1.25", "0.50", "12")
    return table


LISTED = ["a kind of traffic", "  tokens per pass  1.25", "  acceptance       0.50", "  passes           12"]


@pytest.mark.parametrize(("width", "is_terminal", "is_list"), [(40, True, True), (80, True, False), (40, False, False)])
def test_a_table_that_does_not_fit_a_terminal_is_a_list_and_in_a_pipe_it_is_as_wide_as_it_is(
    width: int, is_terminal: bool, is_list: bool
) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None)
    show_table(console, figures())
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    row = ["a", "kind", "of", "traffic", "1.25", "0.50", "12"]
    assert lines == LISTED if is_list else row == lines[-1].split()
