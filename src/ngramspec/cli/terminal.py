"""What strangers wrote, on its way to a terminal: nothing in it moves a cursor, sets a title or is taken for markup."""

import json
import re
import sys
from typing import Any

from rich.text import Text

from ngramspec.printing import is_shown, printable

_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def text(shown: str, style: str = "") -> Text:
    """For rich, which prints it as it is spelled."""
    return Text(printable(shown), style)


def for_standard_output(written: str) -> str:
    """A model's text: as it is for a file or a pipe, without controls for a terminal."""
    return printable(written) if sys.stdout.isatty() else written


def json_line(value: Any) -> str:
    """One line of JSON, letters as they are, and every control as JSON spells it."""
    return _NOT_ASCII.sub(_escaped, json.dumps(value, ensure_ascii=False))


def complain(message: object) -> None:
    """One line on standard error, after the program's name."""
    print(f"ngramspec: {printable(str(message))}", file=sys.stderr)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return character if is_shown(character) and character not in "\n\t" else json.dumps(character)[1:-1]
