"""Reads untrusted lines of JSON: nesting is bounded, and errors are ngramspec's own."""

import json
from typing import Any

from ngramspec.errors import NgramspecError, shortened

MOST_NESTED = 100
"""Deepest nesting of objects and lists: no prompt is deeper, and recursive code would exhaust its stack."""


def read_row(line: str | bytes, where: str, error: type[NgramspecError]) -> object:
    """The JSON value of `line`, usually an object. Raises `error`, which begins with `where`, if it is not JSON."""
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError) as cause:  # not UTF-8, not JSON, or nested too deeply to be read
        rule = f"a line must hold one JSON object{' in UTF-8' if isinstance(line, bytes) else ''}"
        raise error(f"{where}: {rule}, got {shortened(line)} ({cause}); write one object per line") from cause
    if _is_deeper(row, MOST_NESTED):
        raise error(f"{where}: a row must be nested at most {MOST_NESTED} deep, got {shortened(line)}; leave it out")
    return row


def _is_deeper(row: object, most: int) -> bool:
    level: list[Any] = [[row]]
    for _ in range(most + 1):
        level = [item for value in level for item in (value.values() if isinstance(value, dict) else value)
                 if isinstance(item, dict | list)]  # fmt: skip
        if not level:
            return False
    return True
