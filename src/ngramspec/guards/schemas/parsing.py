"""Reads untrusted JSON within limits, which are checked before anything recurses into it."""

import json
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.node import stepped

MAX_DEPTH = 100
"""Deepest nesting of lists and objects; of 2061 real schemas the deepest has 63."""
MAX_DIGITS = 400
"""Most digits of a number, before and after its point, and the largest power of ten: floats end at 308."""
MAX_VALUES = 500_000
"""Most values in one schema; as text each takes at least one character."""

_DEEP = "give its parts names under $defs, and refer to them"
_PIECE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A string, up to its end or that of the text; or a bracket."""
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parsed(text: str, fraction: Callable[[str], Any] = float) -> Any:
    """The value of a JSON text. Raises GuardError if it is not JSON, or beyond the limits above.

    fraction: reads a number that is written with a point or an exponent.
    """
    check_depth(text)

    def read_fraction(written: str) -> Any:
        _check_fraction(written)
        return fraction(written)

    try:
        value = json.loads(
            text, parse_int=_integer, parse_float=read_fraction, parse_constant=_constant, object_pairs_hook=_once
        )
    except GuardError:
        raise
    except ValueError as error:
        raise GuardError(f"a schema as text must be JSON, got {shortened(text)}: {error}{_way_out(text)}") from error
    if _HALF.search(text):
        check(value)
    return value


def check(value: Any) -> None:
    """Raise GuardError, with the location, for anything in a Python object that is not JSON, or beyond the limits."""
    for number, (location, depth, each) in enumerate(_values(value), start=1):
        if depth > MAX_DEPTH:
            raise GuardError(f"a schema must be nested at most {MAX_DEPTH} deep, got more at {location}: {_DEEP}")
        if number > MAX_VALUES:
            raise GuardError(f"a schema must have at most {MAX_VALUES} values, got more: leave out what is not used")
        if isinstance(each, str):
            _check_text(each, location)
        elif isinstance(each, int | float | Decimal):
            _check_number(each, location)
        elif isinstance(each, dict):
            for key in each:
                _check_key(key, location)
        elif each is not None and not isinstance(each, list | tuple):
            raise GuardError(
                f"a schema must be JSON, got {shortened(each)} at {location or 'its root'}: instead of a dict of types,"
                " write a TypedDict"
            )


def _values(value: Any) -> Iterator[tuple[str, int, Any]]:
    """`value` and all values inside it, with locations and depths; stops one level after the deepest allowed one."""
    left = [("", 1, value)]
    while left:
        location, depth, each = left.pop()
        yield location, depth, each
        steps = each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list | tuple) else ()
        left += [(stepped(location, step), depth + 1, child) for step, child in steps]


def check_depth(text: str) -> None:
    """Raise GuardError if JSON text is nested too deeply, in linear time; also correct for text that is not JSON."""
    depth = 0
    for piece in _PIECE.finditer(text):
        found = piece[0]
        if found in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, piece.start()) + 1
                raise GuardError(
                    f"a schema must be nested at most {MAX_DEPTH} deep, got more at line {line}, character"
                    f" {piece.start()}: {_DEEP}"
                )
        elif found in ("]", "}"):
            depth -= 1


def _check_text(text: str, location: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise GuardError(
            f"a schema must be text, got half a surrogate pair in {shortened(text)} at {location or 'its root'}: write"
            " both halves, or the letter itself"
        )


def _check_key(key: Any, location: str) -> None:
    if not isinstance(key, str):
        raise GuardError(
            f"a key of a schema must be a text, got {shortened(key)} at {location or 'its root'}: write it in quotes"
        )
    _check_text(key, location)


def _check_number(number: float | Decimal, location: str) -> None:
    if isinstance(number, int):
        if number.bit_length() > MAX_DIGITS * math.log2(10):
            raise _too_long(f"an integer of {number.bit_length()} bits at {location or 'its root'}")
    elif not math.isfinite(number):
        raise GuardError(f"a number must be finite, got {number} at {location or 'its root'}: JSON has no others")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _too_long(shortened(digits))
    return int(digits)


def _check_fraction(written: str) -> None:
    digits, _, power = written.lower().partition("e")
    if len(digits) > MAX_DIGITS or len(power) > 5 or abs(int(power or "0")) > MAX_DIGITS or math.isinf(float(written)):
        raise _too_long(shortened(written))


def _too_long(found: str) -> GuardError:
    return GuardError(
        f"a number must have at most {MAX_DIGITS} digits, and be within the range of a float, got {found}: write a"
        " smaller one, or leave the bound out"
    )


def _constant(name: str) -> Any:
    raise GuardError(f"a number must be finite, got {name}: JSON has no others")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise GuardError(
            f"a schema must have each key once, got {shortened(twice)} twice among {shortened(list(found))}: of two,"
            " readers of JSON drop one"
        )
    return found


def _way_out(text: str) -> str:
    is_path = text.rstrip().endswith(".json") and "\n" not in text.strip()
    return ": pass the content of the file, Path(…).read_text()" if is_path else ""
