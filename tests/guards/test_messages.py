"""Whatever the input, the error fits a screen, quotes the input in visible characters, and is one of ours."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.errors import MAX_MESSAGE, GuardError, GuardWarning, NgramspecError, did_you_mean, shortened
from ngramspec.guards import Guard
from ngramspec.printing import is_shown
from tests.guards.vocabularies import BYTES

MAKES: Any = Guard


def shown(source: Any) -> str:
    return source if isinstance(source, str) else shortened(source)


CONSTRUCTORS: dict[str, Callable[[Any], Any]] = {
    "json_schema": lambda source: MAKES.json_schema(source, BYTES),
    "a key": lambda source: MAKES.json_schema({shown(source): 1, "properties": {shown(source): 3}}, BYTES),
    "a pattern": lambda source: MAKES.json_schema({"items": {"pattern": source}}, BYTES),
    "a reference": lambda source: MAKES.json_schema({"$ref": source}, BYTES),
    "a type": lambda source: MAKES.json_schema({"items": {"type": source}}, BYTES),
    "regex": lambda source: MAKES.regex(source, BYTES),
    "choice": lambda source: MAKES.choice([source], BYTES),
    "grammar": lambda source: MAKES.grammar(source, BYTES),
    "a rule": lambda source: MAKES.grammar(f"start: {shown(source)}", BYTES),
    "load": lambda source: MAKES.load(source, BYTES),
    "after": lambda source: MAKES.regex("a", BYTES).after(source, max_tokens=source),
    "between": lambda source: MAKES.regex("a", BYTES).between(source, source),
    "processor": lambda source: MAKES.regex("a", BYTES).processor(source),
    "accepts": lambda source: MAKES.regex("a", BYTES).accepts(source),
}


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


ODD = [
    None,
    5,
    1.5,
    10**5000,
    True,
    (),
    {1: Silent()},
    Silent(),
    b"\x00" * 9000,
    "(" * 9000,
    "x\x1b]0;y\x07" * 900,
    ["a"] * 9000,
]
LETTERS = st.sampled_from("(){}[]*+?|\\^$.,:;\"'/#%@<>=&~-_ \n\t\x00\x1b\x7f\x9b\u202e\u2028é😀aB1") | st.characters()
SOURCES = (
    st.text(LETTERS, max_size=30) | st.text(LETTERS, max_size=3).map(lambda text: text * 1500) | st.sampled_from(ODD)
)


def is_readable(message: str) -> bool:
    return len(message) <= MAX_MESSAGE and all(map(is_shown, message))


@pytest.mark.parametrize("name", CONSTRUCTORS)
@given(source=SOURCES)
@settings(max_examples=100)
def test_a_message_fits_a_screen_and_can_be_read(name: str, source: Any) -> None:
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            CONSTRUCTORS[name](source)
        except GuardError as error:
            messages.append(str(error))
    messages += [str(each.message) for each in warned if issubclass(each.category, GuardWarning)]
    assert [] == [message for message in messages if not is_readable(message)]


@given(message=st.text(LETTERS) | st.text(LETTERS, min_size=1, max_size=3).map(lambda text: text * 3000))
def test_any_error_and_any_warning_can_be_read(message: str) -> None:
    for kind in (NgramspecError, GuardError, GuardWarning):
        assert is_readable(str(kind(message)))


def test_a_message_keeps_its_beginning_and_its_end() -> None:
    message = str(GuardError("the rule, got " + "x" * 10_000 + ": what to do"))
    assert message.startswith("the rule, got xxx")
    assert message.endswith("xxx: what to do")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner) | st.tuples(inner, inner),
)


@given(value=JSON, limit=st.integers(1, 80))
def test_a_value_is_shown_as_python_shows_it_and_then_shortened(value: Any, limit: int) -> None:
    shown, whole = shortened(value, limit), repr(value)
    if len(whole) <= limit and "…" not in shown:
        assert whole == shown
    assert len(shown) <= limit + 1


def test_what_cannot_be_shown_in_full_is_described() -> None:
    assert "an integer of 16610 bits" == shortened(10**5000)
    assert "<Silent whose repr raises>" == shortened(Silent())
    assert "'" + "a" * 59 + "…" == shortened("a" * 10**6)
    assert "[[[[[[[[[…]]]]]]]]]" == shortened([[[[[[[[[[1]]]]]]]]]])


def test_a_guess_is_made_of_the_beginning_of_a_name() -> None:
    assert ": did you mean 'spaced'?" == did_you_mean("space", ["spaced", "flexible"])
    assert "" == did_you_mean("x" * 10**6, ["spaced"])
    assert "" == did_you_mean(10**5000, ["spaced"])
