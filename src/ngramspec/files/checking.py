"""Checks of values read from a file; each function raises ValueError with the rule and the value."""

from typing import Any

from ngramspec.errors import shortened


def checked_list(value: object, what: str, *, of: int | None = None) -> list[Any]:
    """A list; of: its items must be lists of this many items."""
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list, got {shortened(value)}")
    if of is not None:
        for item in value:
            if not isinstance(item, list) or len(item) != of:
                raise ValueError(f"{what} must be a list of lists of {of}, got {shortened(item)}")
    return value


def checked_object(value: object, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """An object that has `keys`; other keys are ignored."""
    if not isinstance(value, dict) or not value.keys() >= set(keys):
        raise ValueError(f"{what} must be an object with {', '.join(keys)}, got {shortened(value)}")
    return value


def checked_text(value: object, what: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text, got {shortened(value)}")
    return value


def checked_int(value: object, what: str, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:  # true is an int to Python
        raise ValueError(f"{what} must be a whole number from {least} to {most}, got {shortened(value)}")
    return value


def checked_number(value: object, what: str, least: float, most: float) -> float:
    """A number from `least` to `most`, not NaN."""
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{what} must be a number from {least} to {most}, got {shortened(value)}")
    return float(value)  # type: ignore[arg-type]
