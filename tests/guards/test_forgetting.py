"""A worker keeps nothing of a source: the next one takes as much work as if there had been none before."""

import gc
import json
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import ngramspec
from ngramspec.guards import Limits
from ngramspec.guards.backends.llguidance import options_of
from ngramspec.guards.schemas import forget
from ngramspec.guards.source import Language, Source
from ngramspec.guards.workers.llguidance_worker import answer
from ngramspec.guards.workers.preparing import request_message

PACKAGE = str(Path(ngramspec.__file__).parent)
PATTERNS = st.sampled_from(["^[a-c]{2,9}x$", "é+[^b]", "^(ab|ba)*$", r"^\d{3}-\p{Lu}$"])
TEXTS = st.builds(
    lambda pattern, most: {"type": "string", "pattern": pattern, "maxLength": most}, PATTERNS, st.integers(5, 40)
)
SCHEMAS = st.one_of(
    TEXTS,
    st.builds(lambda one, other: {"anyOf": [one, {"type": "array", "items": other}]}, TEXTS, TEXTS),
    st.builds(lambda name, one: {"type": "object", "patternProperties": {name: one}}, PATTERNS, TEXTS),
    st.builds(lambda one, other: {"allOf": [one], "not": other}, TEXTS, TEXTS),
)


def work(schema: Any) -> tuple[Counter[str], list[bytes]]:
    """The calls that the worker makes of this package's functions, and what it answers."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

    source = Source(Language.JSON_SCHEMA, json.dumps(schema))
    gc.collect()
    gc.disable()  # finalizers of what other tests have left are no work of this one
    sys.setprofile(count)
    try:
        answered = answer(request_message(source, options_of(Limits())))
    finally:
        sys.setprofile(None)
        gc.enable()
    assert calls
    return calls, answered


@given(SCHEMAS)
@settings(max_examples=15, deadline=None)
def test_a_schema_takes_a_worker_as_much_work_as_the_first_time(schema: Any) -> None:
    work(schema)  # tables that are the same for all sources are made
    forget()
    first = work(schema)
    assert first == work(schema)


def test_nothing_of_a_new_pattern_is_kept_anywhere() -> None:
    def schema(letter: str) -> Any:
        text = {"type": "string", "pattern": f"^[{letter}-x]{{2,9}}é+{letter}$", "minLength": 4}
        return {"type": "object", "properties": {letter: text}, "patternProperties": {f"^{letter}+$": text}}

    for letter in "abcd":
        first = work(schema(letter))
        assert letter == "a" or first == work(schema(letter))
