"""Checks of prices read from a file: a state that is accepted prices every pass, in bounded memory."""

from typing import Any

from ngramspec.decoding.column_prices import DEAREST, NUM_KEPT
from ngramspec.errors import shortened
from ngramspec.files.checking import checked_int, checked_list, checked_number, checked_object, checked_text

_MOST_WIDTH = 1 << 16
"""Widest pass, in columns; prices are kept for twice as many."""

_MOST_ROWS = 1 << 31
_MOST_SIZE = 64
"""Bits of the number of rows, or of tokens of context."""

_LEAST_SECONDS, _MOST_SECONDS = 1e-12, 1e12
"""Shortest and longest pass, by any clock."""

_MOST_TOKENS = 1e12
_ROUNDING = 1e-6


def checked_state(state: object) -> dict[str, Any]:
    """`state`, if `MeasuredCosts.state` could have made it; else raises ValueError with the broken rule."""
    known = checked_object(state, "a table", ("alone", "growths", "rates"))
    plain = checked_list(known["alone"], "the times of plain passes", of=3)
    for rows, size, times in plain:
        checked_int(rows, "the rows of a pass", 1, _MOST_ROWS)
        checked_int(size, "the context of a pass", 0, _MOST_SIZE)
        _checked_numbers(times, "times of plain passes", 1, _LEAST_SECONDS, _MOST_SECONDS)
    wider = checked_list(known["growths"], "the prices of wider passes", of=3)
    for rows, size, prices in wider:
        checked_int(rows, "the rows of a pass", 0, _MOST_SIZE)
        checked_int(size, "the context of a pass", 0, _MOST_SIZE)
        for width, found in checked_object(prices, "the prices of wider passes", ()).items():
            columns = _checked_width(width)
            _checked_numbers(found, "prices of wider passes", 1, _LEAST_SECONDS, DEAREST * columns)
    rates = checked_list(known["rates"], "the rates", of=3)
    for size, num_tokens, passes in rates:
        checked_int(size, "the rows of a pass", 0, _MOST_SIZE)
        _check_rate(num_tokens, passes)
    _check_named_once("plain passes", [tuple(key) for *key, _ in plain])
    _check_named_once("wider passes", [tuple(key) for *key, _ in wider])
    _check_named_once("rates", [size for size, *_ in rates])
    return known


def checked_tables(header: dict[str, Any]) -> dict[str, Any]:
    """The tables of a file by fingerprint, each one checked."""
    tables = checked_object(checked_object(header, "its header", ("tables",))["tables"], "its tables", ())
    for name, state in tables.items():
        try:
            checked_state(state)
        except ValueError as error:
            raise ValueError(f"table {shortened(name, 70)}: {error}") from error
    return tables


def _checked_width(width: str) -> int:
    text = checked_text(width, "the columns of a pass")
    columns = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if str(columns) != text:
        raise ValueError(f"the columns of a pass must be a whole number, got {shortened(width)}")
    return checked_int(columns, "the columns of a wider pass", 2, _MOST_WIDTH)


def _checked_numbers(values: object, what: str, fewest: int, least: float, most: float) -> None:
    numbers = checked_list(values, what)
    if not fewest <= len(numbers) <= NUM_KEPT:
        raise ValueError(f"{what} must be {fewest} to {NUM_KEPT} numbers, got {len(numbers)}")
    for number in numbers:
        checked_number(number, what, least, most)


def _check_rate(num_tokens: object, passes: object) -> None:
    """Decayed passes by width, and the tokens that they emitted: at most one token per column."""
    counts = checked_list(passes, "the passes of a rate")
    checked_int(len(counts), "the widest pass of a rate", 1, _MOST_WIDTH)
    most = sum(
        columns * checked_number(count, "the passes of a width", 0.0, _MOST_TOKENS)
        for columns, count in enumerate(counts, start=1)
    )
    checked_number(num_tokens, "the tokens of a rate", 0.0, most * (1.0 + _ROUNDING))


def _check_named_once(what: str, keys: list[Any]) -> None:
    if len(set(keys)) < len(keys):
        raise ValueError(f"{what} of the same rows and context must be listed once, got one twice")
