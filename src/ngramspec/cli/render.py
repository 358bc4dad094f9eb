"""Text for the terminal, with accepted draft tokens in colour."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ngramspec.printing import printable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ACCEPTED = "green"
WRONG = "red"
INDENT = " " * 4


def has_colour(console: Console) -> bool:
    """Whether colour reaches the reader: a terminal, and no NO_COLOR."""
    return console.is_terminal and console.color_system is not None and not console.no_color


def drafted_text(tokenizer: "PreTrainedTokenizerBase", tokens: list[int], accepted: list[bool]) -> Text:
    """The text of `tokens`, with accepted draft tokens in colour."""
    return styled_text(tokenizer, tokens, [ACCEPTED if is_accepted else None for is_accepted in accepted])


def styled_text(tokenizer: "PreTrainedTokenizerBase", tokens: list[int], styles: Sequence[str | None]) -> Text:
    """The text of `tokens`, each in its style."""
    text = Text()
    for piece, style in zip(_pieces(tokenizer, tokens), styles, strict=True):
        text.append(piece, style=style)
    return text


def _pieces(tokenizer: "PreTrainedTokenizerBase", tokens: list[int]) -> list[str]:
    """The text that each token adds; a character of several tokens comes with the last one."""
    pieces = []
    shown = ""
    for end in range(1, len(tokens) + 1):
        decoded = printable(decode(tokenizer, tokens[:end]))
        is_whole = not decoded.endswith("\N{REPLACEMENT CHARACTER}") or end == len(tokens)
        pieces.append(decoded[len(shown) :] if is_whole else "")
        shown = decoded if is_whole else shown
    return pieces


def decode(tokenizer: "PreTrainedTokenizerBase", tokens: list[int]) -> str:
    """The text of `tokens` without special tokens, otherwise unchanged."""
    text = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return text


def indented(console: Console, text: Text, first: str = INDENT) -> list[Text]:
    """Lines of `text` that fit the terminal after `first` and, from the second on, after as many spaces."""
    lines = text.wrap(console, console.width - len(first))
    for line in lines:
        line.rstrip()
    return [Text(" " * len(first) if number else first).append(line) for number, line in enumerate(lines)]


def difference(console: Console, expected: str, actual: str) -> list[Text]:
    """The differing lines of a wrong answer, expected above actual."""
    left, right = expected.split("\n"), actual.split("\n")
    shown = []
    for tag, start, end, other_start, other_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        shown += [(f"{INDENT}expected  ", Text(printable(line))) for line in left[start:end]]
        shown += [(f"{INDENT}     got  ", Text(printable(line), WRONG)) for line in right[other_start:other_end]]
    return [line for label, text in shown for line in indented(console, text, label)]


def show_table(console: Console, table: Table) -> None:
    """Print a table readably: at full width in a pipe; in a terminal that is too narrow, each row as a list under its
    first cell.
    """
    width, shown = Measurement.get(console, console.options.update(max_width=10_000), table).maximum, console.width
    if width <= shown or not console.is_terminal:
        console.width = max(width, shown)
        console.print(table)
        console.width = shown
        return
    names = [str(column.header).replace("\n", " ") for column in table.columns[1:]]
    room = max(map(len, names))
    for title, *cells in zip(*(column.cells for column in table.columns), strict=True):
        console.print(title, soft_wrap=True)
        for name, cell in zip(names, cells, strict=True):
            console.print(f"  {name:{room}}  ", cell, sep="", soft_wrap=True)
