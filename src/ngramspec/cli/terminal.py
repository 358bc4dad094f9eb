"""Makes untrusted text safe for a terminal: nothing in it moves a cursor, sets a title or is read as markup."""

import json
import re
import sys
from typing import Any

from rich.text import Text

from ngramspec.printing import is_shown, printable

_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def text(shown: str, style: str = "") -> Text:
    """Text for rich, printed literally."""
    return Text(printable(shown), style)


def for_standard_output(written: str) -> str:
    """A model's text: unchanged for a file or pipe, without control characters for a terminal."""
    return printable(written) if sys.stdout.isatty() else written


def json_line(value: Any) -> str:
    """One line of JSON, with non-ASCII characters as they are and control characters escaped."""
    return _NOT_ASCII.sub(_escaped, json.dumps(value, ensure_ascii=False))


def complain(message: object) -> None:
    """Print one line to standard error, after the program's name."""
    print(f"ngramspec: {printable(str(message))}", file=sys.stderr)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return character if is_shown(character) and character not in "\n\t" else json.dumps(character)[1:-1]
