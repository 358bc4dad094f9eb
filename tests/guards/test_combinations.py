"""Whatever keywords stand beside and inside of one another, a guard accepts what `jsonschema` finds valid, and no more."""

import json
from random import Random

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard
from ngramspec.testing.strategies.combined import combined_schema, json_value, spellings
from tests.guards.vocabularies import BYTES

SEEDS = st.integers(0, (1 << 64) - 1)
NUM_VALUES = 20


@given(SEEDS)
@settings(max_examples=100, deadline=None)
@example(3)
def test_an_instance_is_accepted_in_some_order_of_its_keys_if_and_only_if_it_is_valid(seed: int) -> None:
    chance = Random(seed)
    schema = combined_schema(chance)
    values = [json_value(chance) for _ in range(NUM_VALUES)]
    valid = Draft202012Validator(schema)
    try:
        guard = Guard.json_schema(schema, BYTES)
    except UnsupportedError:
        reject()
    except GuardError as error:
        assert "must leave something to generate" in str(error), json.dumps(schema)
        assert not any(map(valid.is_valid, values)), json.dumps(schema)
        return
    for value in values:
        assert valid.is_valid(value) == any(map(guard.accepts, spellings(value))), (json.dumps(schema), value)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore::ngramspec.errors.GuardWarning")
def test_lenient_accepts_all_that_is_valid(seed: int) -> None:
    chance = Random(seed)
    schema = combined_schema(chance)
    valid = Draft202012Validator(schema)
    values = [value for value in (json_value(chance) for _ in range(NUM_VALUES)) if valid.is_valid(value)]
    try:
        guard = Guard.json_schema(schema, BYTES, lenient=True)
    except GuardError as error:
        assert "must leave something to generate" in str(error), json.dumps(schema)
        assert not values, json.dumps(schema)
        return
    for value in values:
        assert any(map(guard.accepts, spellings(value))), (json.dumps(schema), value)
