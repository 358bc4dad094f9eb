"""Runs reuse heads that other rows of their schema have made, and equal runs that were made alone."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.foresight import JsonText, Speller, spelled
from ngramspec.foresight.json_text.evidence import OF_THE_SCHEMA
from ngramspec.foresight.run import SharedSpellings, Step
from ngramspec.guards import Vocabulary
from ngramspec.testing.strategies import json_schemas
from tests.foresight.json_text.test_cursor import SPACED, VALUES
from tests.guards.vocabularies import BYTES, words

LARGE = words('"}', '", "', '": "', '":', '", "b', '"]', "},", "large", '{"')
PROMPTS = ["", "A shirt, kind: large, of 12 pages, for 'Köln'.", "pages: 7, name: Ann, from Rome to Paris"]
KINDS = ["shirt", "book"]
CHOSEN = {
    "anyOf": [
        {"properties": {"kind": {"const": kind}, name: {"type": "string"}, "last": {}}, "required": ["kind", name]}
        for kind, name in zip(KINDS, ["size", "pages"], strict=True)
    ]
}
"""The value of `kind` tells which names follow."""
ASKED = st.builds(
    lambda kind, text, number: {"kind": kind, "size": text, "pages": number, "last": [text]},
    st.sampled_from([*KINDS, "other"]),
    st.sampled_from(["", "large", "Köln", "none"]),
    st.integers(0, 20),
)


def followed(text: JsonText, said: str, speller: Speller) -> list[Step]:
    """All that is foreseen after `said`, each token asked for once the one before was followed."""
    run, steps = spelled(text.foresee(text.read(text.start(), said)), speller), list[Step]()
    while run is not None and run.reaches(len(steps)):
        steps.append(run.steps[len(steps)])
    return steps


@settings(deadline=None)
@given(
    schema=json_schemas().map(lambda constraint: constraint.schema) | st.sampled_from([True, CHOSEN]),
    rows=st.lists(
        st.tuples(VALUES | ASKED, st.sampled_from(SPACED), st.sampled_from(PROMPTS), st.lists(st.integers(0, 90))),
        min_size=1,
        max_size=4,
    ),
    vocabulary=st.sampled_from([BYTES, LARGE]),
)
@example(
    schema=CHOSEN,
    rows=[({"kind": kind, "size": "large"}, {}, "", [*range(20)]) for kind in ["shirt", "book"]],
    vocabulary=BYTES,
)
@example(schema=True, rows=[({"kind": "Köln", "size": ""}, {}, "", [11, 12])], vocabulary=BYTES)  # within an escape
def test_any_run_is_as_if_its_row_were_alone(
    schema: Any, rows: Sequence[tuple[Any, dict[str, Any], str, list[int]]], vocabulary: Vocabulary
) -> None:
    source, shared = json.dumps(schema), SharedSpellings(OF_THE_SCHEMA)
    for value, spaced, prompt, cuts in [*rows, *rows]:
        text = json.dumps(value, **spaced)
        row = Speller(vocabulary, shared)
        for cut in sorted({min(cut, len(text)) for cut in cuts} | {len(text)}):
            alone = followed(JsonText(source, lambda prompt=prompt: prompt), text[:cut], Speller(vocabulary))  # type: ignore[misc]
            assert alone == followed(JsonText(source, lambda prompt=prompt: prompt), text[:cut], row)  # type: ignore[misc]


def test_how_a_value_ends_is_made_once_and_a_value_of_a_row_is_not_kept() -> None:
    names = ["name", "born_in"]
    schema = {"properties": {name: {"type": "string"} for name in names}, "required": names}
    shared = SharedSpellings(OF_THE_SCHEMA)
    for prompt in ("name: Ann, born in: Rome", "name: Bob"):
        text = JsonText(json.dumps(schema), lambda prompt=prompt: prompt)  # type: ignore[misc]
        for said in ("", '{"name": "', '{"name": "X', '{"name": "Xy', '{"name": "Xyz", '):
            followed(text, said, Speller(BYTES, shared))
    kept = {"".join(piece.text for piece in head.pieces) for head in shared.heads.values()}
    assert {'", "born_in":', '"born_in":'} == kept


@pytest.mark.parametrize("said", ['{"a": "b\\', '["b,', "[007", "[-", "[1.", "[2e+"])
def test_no_end_is_foreseen_where_a_value_does_not_end(said: str) -> None:
    assert [] == followed(JsonText("true", lambda: ""), said, Speller(BYTES))
