"""A line of JSON that somebody else wrote, as a row: not nested without end, and never a raw error."""

import json
from typing import Any

from ngramspec.errors import NgramspecError, shortened

MOST_NESTED = 100
"""Objects and lists within each other; what is deeper is no prompt, and would exhaust the stack of whoever walks it."""


def read_row(line: str | bytes, where: str, error: type[NgramspecError]) -> object:
    """What `line` holds, an object as a rule; raises `error`, which begins with `where`, for what is no JSON."""
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
