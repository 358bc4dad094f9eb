"""States are shared by the texts of a schema, and dropped, which changes no text's reading or foresight."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.foresight import Piece
from ngramspec.foresight.json_text import states as module
from ngramspec.foresight.json_text.cursor import Cursor, read, start
from ngramspec.foresight.json_text.prediction import ForeseenPieces
from ngramspec.foresight.json_text.shapes import Shapes
from ngramspec.foresight.json_text.state import Scope
from ngramspec.foresight.json_text.states import States
from ngramspec.foresight.json_text.style import Style
from ngramspec.foresight.json_text.values import Values
from ngramspec.testing.strategies import json_schemas
from tests.foresight.json_text.test_cursor import SCHEMA, SPACED, VALUES

PROMPT = "A shirt, size: large, of 12 pages, for 'Köln'."
ASKED = st.lists(st.sampled_from(["shirt", "large", "pag", "Köln", "none", 12]), max_size=4)


def seen(cursor: Cursor) -> list[Any]:
    """All that a cursor says, by value."""
    found: list[Any] = [cursor.at, cursor.content, cursor.written_values, cursor.shapes, cursor.name]
    found += [cursor.state.gap, cursor.state.style, cursor.state.content]
    scope: Scope | None = cursor.scope
    while scope is not None:
        found += [scope.depth, scope.is_object, scope.shapes, scope.names, scope.num_before]
        scope = scope.parent
    return found


def said(text: str, cuts: Sequence[int], states: States) -> list[tuple[list[Any], list[Piece]]]:
    """What is seen and foreseen at each of the `cuts` of a text, read on from one to the next."""
    cursor, begin, found = start(states, Style()), 0, []
    for cut in cuts:
        cursor, begin = read(cursor, text[begin:cut], states), cut
        found.append((seen(cursor), list(islice(ForeseenPieces(cursor, states, Values(PROMPT)), 12))))
    return found


@pytest.mark.parametrize("most", [1, 7, 2048])
@settings(deadline=None)
@given(
    schema=json_schemas().map(lambda constraint: constraint.schema) | st.sampled_from([True, SCHEMA]),
    texts=st.lists(
        st.tuples(VALUES | ASKED, st.sampled_from(SPACED), st.lists(st.integers(0, 90))), min_size=1, max_size=3
    ),
)
def test_what_other_texts_left_changes_nothing(
    most: int, schema: Any, texts: list[tuple[Any, dict[str, Any], list[int]]]
) -> None:
    shared = States(Shapes(schema))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_KEPT", most)
        for value, spaced, cuts in [*texts, *texts]:
            text = json.dumps(value, **spaced)
            ordered = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
            alone = [said(text, [cut], States(Shapes(schema)))[0] for cut in ordered]
            assert alone == said(text, ordered, shared)


def test_of_free_names_so_many_states_are_kept_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 50)
    states = States(Shapes(True))
    for number in range(100):
        read(start(states, Style()), f'{{"name {number}": [{number}]', states)
        assert len(states._states) <= 50
