"""Makes untrusted text (from models, recordings, schemas, file names) safe for a terminal, a log or a message."""

import os
import re
from typing import Final
from unicodedata import category

_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Joiners that scripts and emoji need; they neither move the cursor nor change the direction of the text."""

_KEPT: Final = frozenset(f"\n\t{_JOINERS}")

_JOINING_NOTHING: Final = re.compile(rf"(?<![^\s{_JOINERS}])[{_JOINERS}]|[{_JOINERS}](?![^\s{_JOINERS}])")
"""Matches a joiner that is not between two characters. Code that measures the width of text fails on some of them."""

_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories that a terminal obeys or hides instead of showing: controls, formats (bidirectional ones among
them), surrogates, private and unassigned characters, and line separators."""

MOST_NAMED = 200
"""Most characters of a file name in a message. Its end is kept, because that distinguishes files."""


def is_shown(character: str) -> bool:
    """Whether a terminal shows `character` and does nothing else."""
    return character.isprintable() or character in _KEPT or category(character) not in _HIDDEN


def printable(text: str) -> str:
    """`text` with every control character, such as the start of an escape sequence, spelled as a Python escape.

    So is a joiner that joins nothing.
    """
    if text.isprintable():
        return text
    shown = "".join(character if is_shown(character) else _spelled(character) for character in text)
    return _JOINING_NOTHING.sub(lambda found: _spelled(found.group()), shown)


def on_one_line(text: str) -> str:
    """As `printable`, with newlines and tabs escaped too: for names."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def named(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A file's name on one line of a message; a long one is cut at its beginning."""
    name = on_one_line(os.fsdecode(path))
    return name if len(name) <= MOST_NAMED else "…" + name[-MOST_NAMED:]


def _spelled(character: str) -> str:
    return repr(character)[1:-1]
