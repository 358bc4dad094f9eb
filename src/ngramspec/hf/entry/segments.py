"""The segment of each row of a call, and the key by which a drafter knows it."""

from typing import Any

from ngramspec.drafting import salted
from ngramspec.errors import shortened

MOST_CHARACTERS = 1024
"""Most characters of a segment's name, and of a salt: names are kept in memory, and callers choose them."""


def segments_of(segment: Any, num_rows: int, num_returned: int) -> list[str | None]:
    """The segment of each row. segment: one name or None for all, or a list with one for each prompt.

    Raises TypeError for anything else, ValueError for a name of more than MOST_CHARACTERS.
    """
    return _of_rows("segment", "a name", segment, num_rows, num_returned)


def keys_of(segments: list[str | None], cache_salt: Any, num_returned: int) -> list[str | None]:
    """A drafter's key for each row's segment. cache_salt: one for all rows, or a list with one for each prompt.

    Raises as `segments_of` and `salted` do.
    """
    salts = _of_rows("cache_salt", "a text", cache_salt, len(segments), num_returned)
    return [salted(segment, salt) for segment, salt in zip(segments, salts, strict=True)]


def _of_rows(argument: str, what: str, given: Any, num_rows: int, num_returned: int) -> list[str | None]:
    if given is None or isinstance(given, str):
        names = [given] * (num_rows // num_returned)
    else:
        names = list(given) if isinstance(given, list | tuple) else []
    if len(names) * num_returned != num_rows or not all(name is None or isinstance(name, str) for name in names):
        raise TypeError(
            f"{argument} must be {what} for the whole call, or a list of one for each of {num_rows // num_returned}"
            f" prompts, got {shortened(given)}"
        )
    longest = max((len(name) for name in names if name is not None), default=0)
    if longest > MOST_CHARACTERS:
        raise ValueError(
            f"{argument} must have at most {MOST_CHARACTERS} characters, got {longest}: pass a digest of it"
        )
    return [name for name in names for _ in range(num_returned)]
