"""Finds an order of a JSON text's keys that a guard accepts, key by key."""

from collections.abc import Iterator, Mapping
from typing import Any

from ngramspec.guards import Guard
from ngramspec.testing.constraints import dumped

MAX_TRIALS = 3000
"""Most prefixes that are tried in the search for an order of keys."""


def in_order(guard: Guard, value: Any, ranks: Mapping[str, int]) -> str | None:
    """`value` as JSON with its keys in an order that `guard` accepts; None if none is found. ranks: order of trials."""
    trials = iter(range(MAX_TRIALS))
    texts = (text for text in _written(guard, "", _ranked(value, ranks), trials) if guard.accepts(text))
    return next(texts, None)


def _ranked(value: Any, ranks: Mapping[str, int]) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: ranks.get(name, len(ranks)))
        return {name: _ranked(value[name], ranks) for name in names}
    return [_ranked(item, ranks) for item in value] if isinstance(value, list) else value


def _written(guard: Guard, head: str, value: Any, trials: Iterator[int]) -> Iterator[str]:
    """`head` followed by `value`, in all legal ways."""
    if isinstance(value, dict):
        yield from _members(guard, head + "{", list(value.items()), trials)
    elif isinstance(value, list):
        yield from _items(guard, head + "[", value, trials)
    elif _is_legal(guard, head + dumped(value), trials):
        yield head + dumped(value)


def _members(guard: Guard, head: str, members: list[tuple[str, Any]], trials: Iterator[int]) -> Iterator[str]:
    if not members:
        yield head + "}"
    for name, value in members:
        start = f"{head}{'' if head.endswith('{') else ','}{dumped(name)}:"
        if _is_legal(guard, start, trials):
            others = [member for member in members if member[0] != name]
            for text in _written(guard, start, value, trials):
                yield from _members(guard, text, others, trials)


def _items(guard: Guard, head: str, items: list[Any], trials: Iterator[int]) -> Iterator[str]:
    if not items:
        yield head + "]"
        return
    start = head if head.endswith("[") else head + ","
    for text in _written(guard, start, items[0], trials):
        yield from _items(guard, text, items[1:], trials)


def _is_legal(guard: Guard, head: str, trials: Iterator[int]) -> bool:
    return next(trials, None) is not None and guard.legal_head(head) == len(head.encode())
