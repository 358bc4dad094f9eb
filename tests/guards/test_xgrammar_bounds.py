"""Bounds that xgrammar reads differently are refused by name; those that it enforces hold to the last digit."""

import json
from typing import Any

import pytest

from ngramspec.errors import UnsupportedError
from ngramspec.guards import Guard
from ngramspec.guards.schemas import prepared
from tests.guards.vocabularies import BYTES

ROUNDED = "it rounds bounds beyond 2^53, unless the type is integer"
BEYOND = "the bound is beyond 64 bits"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "number", "maximum": 2**53 + 1}, ROUNDED),
        ({"type": "number", "minimum": -(2**60)}, ROUNDED),
        ({"exclusiveMinimum": 1e300}, ROUNDED),
        ({"type": "integer", "maximum": 2**63}, BEYOND),
        ({"type": "integer", "minimum": -(2**63) - 1}, BEYOND),
        ({"type": "integer", "exclusiveMaximum": -(2**63)}, BEYOND),
        ({"type": "integer", "exclusiveMinimum": 2**63 - 1}, BEYOND),
    ],
)
def test_bounds_that_it_does_not_keep_are_named(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        prepared(json.dumps(schema), "xgrammar", lenient=False)
    assert f" ({reason})" in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "inside", "outside"),
    [
        ({"type": "integer", "minimum": -(2**63)}, -(2**63), -(2**63) - 1),
        ({"type": "integer", "maximum": 2**63 - 1}, 2**63 - 1, 2**63),
        ({"type": "integer", "minimum": 2**53 + 1}, 2**53 + 1, 2**53),
        ({"type": "number", "minimum": 2**53}, 2**53, 2**53 - 1),
    ],
)
def test_bounds_that_it_keeps_hold(schema: dict[str, Any], inside: int, outside: int) -> None:
    guard = Guard.json_schema(schema, BYTES, backend="xgrammar")
    assert (True, False) == (guard.accepts(str(inside)), guard.accepts(str(outside)))
