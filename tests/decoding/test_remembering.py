"""Foresight's memory of one tenant's schema or prompt makes no draft of another tenant faster or different."""

import gc
import json
import sys
from collections import Counter
from types import FrameType
from typing import Any

import numpy as np
import pytest

from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import AdaptiveLookup
from ngramspec.guards import Guard
from tests.guards.vocabularies import BYTES

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "unit": {"type": "string", "description": "either 'metric' or 'imperial'"},
        "size": {"$ref": "#/$defs/size"},
    },
    "required": ["unit", "size"],
    "$defs": {"size": {"type": "integer", "description": "Defaults to 5432"}},
}
PROMPT = b"CREATE TABLE singer (singer_id int, country text);\nCREATE TABLE concert (id int, singer_id int);\n"
TEXTS = {"schema": b'{"unit": "metric", "size": 5432}', "regex": b"SELECT singer.country FROM singer JOIN concert ON "}


def work(guard: Guard, text: bytes, prompt: bytes) -> tuple[Counter[str], list[list[int]]]:
    """The calls that foresight makes for a row that writes `text`, by function, and all its drafts."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and "foresight" in frame.f_code.co_filename:
            calls[frame.f_code.co_qualname] += 1

    session, matcher = AdaptiveLookup().open(), guard.matcher([])
    tokens = [*prompt, *text]
    gc.collect()
    gc.disable()  # finalizers of what other tests have left are no work of this one
    sys.setprofile(count)
    try:
        drafts = []
        steering = RowSteering([matcher], [np.array([*prompt], np.int32)])
        session.extend(np.array([*prompt], np.int32))
        for token in tokens[len(prompt) :]:
            drafts.append(steering.draft(session, [matcher], 16, 0.0).tokens.tolist())
            matcher.advance([token])
            steering.commit(np.array([token], np.int32))
            session.extend(np.array([token], np.int32))
    finally:
        sys.setprofile(None)
        gc.enable()
    assert calls
    return calls, drafts


@pytest.mark.parametrize("length", [10, 20_000])
def test_a_schema_takes_as_much_work_whatever_other_tenants_used_it(length: int) -> None:
    schema = json.dumps(SCHEMA | {"description": "x" * length})
    mine, theirs = (Guard.json_schema(schema, BYTES, cache_salt=f"{length} {name}") for name in ("mine", "theirs"))
    first = work(mine, TEXTS["schema"], b"")
    assert first == work(theirs, TEXTS["schema"], b"")
    again = work(theirs, TEXTS["schema"], b"")
    assert first[1] == again[1]
    assert first[0].total() > again[0].total()  # its own makes it quicker


def test_a_prompt_takes_as_much_work_as_if_no_other_tenant_had_sent_it() -> None:
    guard = Guard.regex(r"SELECT [ -~]+", BYTES)
    first = work(guard, TEXTS["regex"], PROMPT)
    assert "Tables.stems" in first[0]
    assert first == work(guard, TEXTS["regex"], PROMPT)
