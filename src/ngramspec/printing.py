"""Text of strangers (models, recordings, schemas, file names) as a terminal, a log or a message may show it."""

import os
import re
from typing import Final
from unicodedata import category

_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""What scripts and emoji are spelled with, which moves no cursor and turns no direction."""

_KEPT: Final = frozenset(f"\n\t{_JOINERS}")

_JOINING_NOTHING: Final = re.compile(rf"(?<![^\s{_JOINERS}])[{_JOINERS}]|[{_JOINERS}](?![^\s{_JOINERS}])")
"""A joiner that does not stand between two characters. What measures text for a terminal fails on some of these."""

_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Controls, formats (the bidirectional ones are among them), halves of characters, private and unassigned ones, and
separators of lines: what a terminal obeys or hides, and does not show."""

MOST_NAMED = 200
"""Characters of a file's name that a message has: its end, which tells files apart."""


def is_shown(character: str) -> bool:
    """Whether a terminal shows `character`, and does nothing else."""
    return character.isprintable() or character in _KEPT or category(character) not in _HIDDEN


def printable(text: str) -> str:
    """`text` with every control, such as what begins an escape sequence, spelled out as Python would write it.

    So is a joiner that joins nothing.
    """
    if text.isprintable():
        return text
    shown = "".join(character if is_shown(character) else _spelled(character) for character in text)
    return _JOINING_NOTHING.sub(lambda found: _spelled(found.group()), shown)


def on_one_line(text: str) -> str:
    """As `printable`, ends of lines and tabs spelled out too: for names."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def named(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A file's name on one line of a message, without its beginning where it is long."""
    name = on_one_line(os.fsdecode(path))
    return name if len(name) <= MOST_NAMED else "…" + name[-MOST_NAMED:]


def _spelled(character: str) -> str:
    return repr(character)[1:-1]
