"""The question: the end of a prompt, without the JSON before it and without schemas."""

import json
from typing import Any

_TAIL = 1500
"""Characters at the end of a prompt in which the question is searched for."""

_LEAST = 30
"""Shortest end of a prompt that counts as a question, in characters."""

_MOST_OPENED = 64
"""Most objects that are checked for being schemas."""

_PROPERTIES = '"properties"'
_JSON = json.JSONDecoder()


def question(prompt: str) -> str:
    """The question at the end of a prompt without schemas."""
    tail = prompt[-_TAIL:]
    end = max(tail.rfind('"}'), tail.rfind("]}"), tail.rfind("}}"))
    cut = 0 if end < 0 else end + 2
    return tail[cut:] if len(tail) - cut > _LEAST else tail


def without_schemas(prompt: str) -> str:
    """`prompt` without the JSON schemas in it: their names, types and numbers are not values."""
    if _PROPERTIES not in prompt:
        return prompt
    kept: list[str] = []
    begin, start = 0, -1
    for _ in range(_MOST_OPENED):
        start = prompt.find("{", start + 1)
        if start < 0:
            break
        try:
            value, end = _JSON.raw_decode(prompt, start)
        except (ValueError, RecursionError):
            continue
        if _PROPERTIES in prompt[start:end] and _describes(value):
            kept.append(prompt[begin:start])
            begin = end
        start = end - 1
    return "".join((*kept, prompt[begin:]))


def _describes(value: Any) -> bool:
    """Whether `value` contains the schema of an object: names, each with an object as its value."""
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            properties = found.get("properties")
            if isinstance(properties, dict) and properties and all(isinstance(of, dict) for of in properties.values()):
                return True
            left += found.values()
        elif isinstance(found, list):
            left += found
    return False
