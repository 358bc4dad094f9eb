"""Multiples of large steps, digit by digit: a numeral is accepted if and only if it is a multiple within its bounds."""

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from ngramspec.errors import UnsupportedError
from ngramspec.guards import Guard, Limits
from ngramspec.guards.schemas.lark.digits import Remainders
from tests.guards.vocabularies import BYTES

PATIENT = Limits(max_seconds=300)
STEPS = [997, 2048, 6144, 14336, 43200, 86400, 604800]


@pytest.mark.parametrize("divisor", [1, 2, 7, 12, 96, 97, 360, 512, 864])
def test_two_remainders_are_one_state_if_and_only_if_the_same_digits_make_multiples_of_them(divisor: int) -> None:
    remainders = Remainders(divisor)
    states: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for remainder in range(divisor):
        after = [
            number
            for length in range(5)
            for number in range(10**length, 2 * 10**length)
            if (10**length * remainder + number - 10**length) % divisor == 0
        ]
        states.setdefault(tuple(after), set()).add(remainders.state_of(remainder))
    assert [1] * len(states) == [len(some) for some in states.values()]
    assert len(states) == len(set().union(*states.values()))


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_numeral_is_accepted_if_and_only_if_it_is_a_multiple_within_the_bounds(data: st.DataObject) -> None:
    step = data.draw(st.sampled_from([2048, 43200, 86400]))
    bound = st.integers(-(10**7), 10**7) | st.integers(-9, 9).map(lambda count: count * step)
    schema: dict[str, Any] = {"type": data.draw(st.sampled_from(["integer", "number"])), "multipleOf": step}
    for keyword in data.draw(st.sets(st.sampled_from(["minimum", "exclusiveMinimum", "maximum"]), max_size=2)):
        schema[keyword] = data.draw(bound)
    other = data.draw(st.none() | st.integers(2, 50).map(lambda factor: factor * step))
    if other is not None and schema["type"] == "integer":
        schema["not"] = {"multipleOf": other}
    low, high = schema.get("minimum", -(10**12)), schema.get("maximum", 10**12)
    above = schema.get("exclusiveMinimum", -(10**12))
    try:
        guard = Guard.json_schema({"anyOf": [schema, {"const": "x"}]}, BYTES, limits=PATIENT)  # some value always fits
    except UnsupportedError:  # many remainders beside long bounds, or beside those of another step
        reject()
    near = [0, *schema.values()]
    for _ in range(5):
        start = data.draw(st.sampled_from([value for value in near if isinstance(value, int)]))
        value = (start // step + data.draw(st.integers(-3, 3))) * step + data.draw(
            st.sampled_from([0, 0, 0, 1, 10, -step // 2])
        )
        expected = value % step == 0 and low <= value <= high and value > above
        if "not" in schema:
            expected = expected and value % schema["not"]["multipleOf"] != 0
        assert (expected, value) == (guard.accepts(str(value)), value)
        assert (expected and schema["type"] == "number") == guard.accepts(f"{value}.00")
        assert not guard.accepts(f"{value}.5")
        assert not guard.accepts(f"0{value}")


@pytest.mark.parametrize("step", STEPS)
def test_any_number_of_digits_is_read(step: int) -> None:
    guard = Guard.json_schema({"type": "integer", "multipleOf": step}, BYTES, limits=PATIENT)
    numbers = [step * 10**40, -step * (10**40 + 7), step, 0, step * 10**40 + 1, 10**40 * step - step // 2]
    assert [number % step == 0 for number in numbers] == [guard.accepts(str(number)) for number in numbers]


def test_other_numbers_at_the_same_position_are_refused_by_name_and_elsewhere_they_may_be() -> None:
    step = {"type": "integer", "multipleOf": 86400}
    for schema in (
        {"anyOf": [step, {"const": 8.5}]},
        {"anyOf": [{"items": step}, {"items": {"const": 8.5}}], "type": "array"},
    ):
        with pytest.raises(UnsupportedError, match="digits are read one by one"):
            Guard.json_schema(schema, BYTES, limits=PATIENT)
    guard = Guard.json_schema({"properties": {"a": step, "b": {"const": 8.5}}, "type": "object"}, BYTES, limits=PATIENT)
    texts = ['{"a":86400,"b":8.5}', '{"a":8.5}', '{"b":86400}']
    assert [True, False, False] == list(map(guard.accepts, texts))


def test_there_is_no_whitespace_between_digits() -> None:
    guard = Guard.json_schema(
        {"type": "array", "items": {"type": "integer", "multipleOf": 2048}}, BYTES, limits=PATIENT
    )
    assert [True, True, False, False] == list(
        map(guard.accepts, ("[2048,4096]", "[ 2048 , 4096 ]", "[20 48]", "[- 2048]"))
    )


@pytest.mark.parametrize("step", [1_000_003, 2**30])
def test_a_step_with_too_many_remainders_is_refused_unless_its_multiples_are_few(step: int) -> None:
    with pytest.raises(UnsupportedError, match=r"'multipleOf' at /multipleOf \(the remainders of \d+ are too many"):
        Guard.json_schema({"type": "integer", "multipleOf": step}, BYTES, limits=PATIENT)
    few = Guard.json_schema(
        {"type": "integer", "multipleOf": step, "minimum": 0, "maximum": 9 * step}, BYTES, limits=PATIENT
    )
    assert [True, False] == [few.accepts(str(number)) for number in (7 * step, 7 * step + 1)]
