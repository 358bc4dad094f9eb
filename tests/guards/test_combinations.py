"""Any keywords beside and inside one another: a guard accepts exactly what `jsonschema` finds valid."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard
from ngramspec.testing.strategies import combined_schema, json_value, spellings
from tests.guards.vocabularies import BYTES

SEEDS = st.integers(0, (1 << 64) - 1)
NUM_VALUES = 20

NOTHING = "must leave something to generate"


def accepting(schema: dict[str, Any], *, is_lenient: bool) -> Callable[[str], bool]:
    """Whether the guard of `schema` accepts a text; nothing where it says that nothing fits."""
    try:
        return Guard.json_schema(schema, BYTES, lenient=is_lenient).accepts
    except UnsupportedError:
        reject()
    except GuardError as error:
        if NOTHING not in str(error):
            raise
    return lambda text: False


@given(SEEDS)
@settings(max_examples=100, deadline=None)
@example(3)
def test_an_instance_is_accepted_in_some_order_of_its_keys_if_and_only_if_it_is_valid(seed: int) -> None:
    chance = Random(seed)
    schema = combined_schema(chance)
    values = [json_value(chance) for _ in range(NUM_VALUES)]
    valid = Draft202012Validator(schema)
    accepts = accepting(schema, is_lenient=False)
    for value in values:
        assert valid.is_valid(value) == any(map(accepts, spellings(value))), (json.dumps(schema), value)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore::ngramspec.errors.GuardWarning")
def test_lenient_accepts_all_that_is_valid(seed: int) -> None:
    chance = Random(seed)
    schema = combined_schema(chance)
    valid = Draft202012Validator(schema)
    values = [value for value in (json_value(chance) for _ in range(NUM_VALUES)) if valid.is_valid(value)]
    accepts = accepting(schema, is_lenient=True)
    for value in values:
        assert any(map(accepts, spellings(value))), (json.dumps(schema), value)
