"""Of which kind of traffic the rows of a call are."""

from typing import Any


def segments_of(segment: Any, num_rows: int, num_returned: int) -> list[str | None]:
    """The segment of each row: one name or None for all, or a list with one for each prompt.

    Raises TypeError for what is neither.
    """
    if segment is None or isinstance(segment, str):
        return [segment] * num_rows
    names = list(segment) if isinstance(segment, list | tuple) else []
    if len(names) * num_returned != num_rows or not all(name is None or isinstance(name, str) for name in names):
        raise TypeError(
            f"segment must be a name for the whole call, or a list of one for each of {num_rows // num_returned}"
            f" prompts, got {segment!r}"
        )
    return [name for name in names for _ in range(num_returned)]
