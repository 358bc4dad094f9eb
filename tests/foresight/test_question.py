"""Schemas are removed from a prompt; JSON that is data stays."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.question import without_schemas

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
FEATURE = {"type": "Feature", "properties": {"name": "Rome", "size": 7}}


@pytest.mark.parametrize("schema", [SCHEMA, {"$defs": {"a": SCHEMA}}, {"name": "find", "parameters": SCHEMA}])
def test_a_schema_is_taken_out_wherever_it_stands(schema: Any) -> None:
    assert "before  between {x} and [] after" == without_schemas(
        f"before {json.dumps(schema)} between {{x}} and [{json.dumps(schema, indent=2)}] after"
    )


@pytest.mark.parametrize("text", [json.dumps(FEATURE), json.dumps(SCHEMA)[:-1], '"properties"', "{" * 100_000])
def test_what_is_no_schema_stays(text: str) -> None:
    assert text == without_schemas(text)


@given(st.lists(st.sampled_from([json.dumps(SCHEMA), "{", "}", '"properties"', '"', " a ", json.dumps(FEATURE)])))
def test_of_any_prompt_only_schemas_are_left_out(parts: list[str]) -> None:
    prompt = "".join(parts)
    kept = without_schemas(prompt)
    assert prompt.replace(json.dumps(SCHEMA), "") == kept.replace(json.dumps(SCHEMA), "")
