"""Number terminals: a numeral is matched if and only if its value and its spelling are as described."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ngramspec.guards.schemas.terminals import InexpressibleError, Terminal, numbers
from tests.guards.terminals.numerals import Numbers, decimals, descriptions, numerals, plain
from tests.guards.terminals.spelling import Matched

INT64 = {"is_integer": True, "minimum": -(2**63), "maximum": 2**63 - 1}
UINT64 = {"is_integer": True, "minimum": 0, "maximum": 2**64 - 1}
HALF = {"exclusive_minimum": 0, "maximum": 0.5}
MONEY = {"minimum": 0, "multiple_of": [0.01]}


def terminal_of(description: Numbers) -> Terminal | None:
    return numbers.terminal(**{name: getattr(description, name) for name in Numbers.__dataclass_fields__})


@settings(max_examples=150)
@given(st.data())
def test_a_numeral_is_matched_if_and_only_if_its_value_is_as_described(data: st.DataObject) -> None:
    description = data.draw(descriptions())
    try:
        matched = Matched(terminal_of(description))
    except InexpressibleError:  # a step and another that must not go into it may be too much for llguidance
        assert description.multiple_of or description.not_multiple_of
        assume(False)
        raise
    for _ in range(20):
        numeral = data.draw(numerals(description))
        expected = description.is_spelled(numeral) and description.hold(Fraction(numeral))
        assert (expected, numeral) == (numeral in matched, numeral)


@pytest.mark.parametrize(
    ("described", "matched", "others"),
    [
        (
            HALF,
            ["0.5", "0.50", "0.500", "5e-1", "5.00E-01", "1e-7", "0.0001"],
            ["0", "-0", "0.0", "0e5", "0.51", "1e1"],
        ),
        ({"exclusive_minimum": 0}, ["1e-400", "1E400", "0.1e-5", "100e3"], ["0", "-0.0", "0e5", "-1"]),
        ({"maximum": 0}, ["-0", "-0.0", "0", "0E5", "-1e400"], ["1e-400"]),
        ({"minimum": -0.5, "exclusive_maximum": 0}, ["-0.5", "-1e-9"], ["-0", "0", "-0.51"]),
        ({"minimum": 0, "maximum": 99.99}, ["99.9", "99.99", "99.990", "9.999e1", "0"], ["99.991", "100", "1e2", "-1"]),
        ({"minimum": 0, "maximum": 3.14159}, ["3.1", "3.14", "3.14159", "3.141590"], ["3.1416", "3.141591"]),
        ({"maximum": 0.95}, ["0.9", "-5", "0.95"], ["0.951"]),
        ({"multiple_of": [0.25]}, ["0.5", "0.50", "0.250", "-1.75", "3", "0"], ["0.3", "0.26", "0.2500001"]),
        ({"is_integer": True, "minimum": 2**53 + 1}, [str(2**53 + 1)], [str(2**53)]),
        (INT64, [str(-(2**63)), str(2**63 - 1), "0", "-0"], [str(-(2**63) - 1), str(2**63), "1.0", "1e3"]),
        (UINT64, [str(2**64 - 1), str(2**63)], [str(2**64), "-1"]),
        ({"maximum": 10**40}, ["1" + "0" * 40, "1e40", "9.99e39"], ["1" + "0" * 39 + "1", "1.01e40", "1e41"]),
        ({"minimum": Decimal("1e-7")}, ["1e-7", "0.0000001", "1"], ["9.9e-8", "0.00000009"]),
        (MONEY, ["0", "19.99", "19.9", "19.990", "1000000.01"], ["19.999", "-0.01", "0.001"]),
        ({"is_integer": False}, ["0.5", "-1.25", "1e-1"][:2], ["1", "1.0", "-0.0", "0"]),
        ({}, ["1.50", "-0", "0e5", "1E400", "-12.5e-03"], ["01", "1.", ".5", "+1", "1e", "-", "NaN"]),
        ({"is_integer": True, "multiple_of": [37]}, ["0", "37", "-74", "3700000000000000000"], ["38", "37.0"]),
        ({"multiple_of": [1.1]}, ["1.1", "2.2", "11", "-3.30"], ["1.2", "1"]),
        ({"is_integer": True, "multiple_of": [1024]}, ["0", "1024", "1048576"], ["1000", "512"]),
        ({"is_integer": True, "not_multiple_of": [1024]}, ["1000", "512"], ["0", "1024"]),
        ({"not_multiple_of": [3, 0.5]}, ["0.4", "1.25"], ["0", "3", "0.5", "1.50"]),
        ({"minimum": 5, "maximum": 5}, ["5", "5.0", "5e0", "5.00E+00"], ["5.01", "50e-1"]),
    ],
)
def test_everyday_ranges_and_steps(described: dict[str, Any], matched: list[str], others: list[str]) -> None:
    terminal = Matched(numbers.terminal(**described))
    assert (matched, others) == (
        [numeral for numeral in matched if numeral in terminal],
        [numeral for numeral in others if numeral not in terminal],
    )


@given(decimals(), decimals())
def test_where_no_number_is_left_there_is_no_terminal(low: Fraction, high: Fraction) -> None:
    described = Numbers(exclusive_minimum=low, exclusive_maximum=high)
    assert (low >= high) == (terminal_of(described) is None)


@pytest.mark.parametrize(
    "described",
    [
        {"is_integer": True, "exclusive_minimum": 0, "exclusive_maximum": 1},
        {"minimum": 1, "maximum": 4, "multiple_of": [5]},
        {"multiple_of": [0.5], "not_multiple_of": [0.25]},
        {"is_integer": True, "not_multiple_of": [1]},
        {"minimum": 3, "maximum": 3, "not_multiple_of": [1.5]},
        {"minimum": 1, "maximum": 1000, "multiple_of": [2], "not_multiple_of": [4, 2]},
    ],
)
def test_where_no_multiple_is_left_there_is_no_terminal(described: dict[str, Any]) -> None:
    assert numbers.terminal(**described) is None


@pytest.mark.parametrize("step", [9, 11, 13, 27, 31, 37, 77, 96, 360, 512, 1024])
@pytest.mark.parametrize("bounds", [{}, {"minimum": 10, "maximum": 10**7}])
def test_steps_whose_remainders_are_counted(step: int, bounds: dict[str, Any]) -> None:
    terminal = Matched(numbers.terminal(is_integer=True, multiple_of=[step], **bounds))
    assert [value for value in range(990, 3300) if value % step == 0] == [
        value for value in range(990, 3300) if str(value) in terminal
    ]


@settings(max_examples=50)
@given(st.sampled_from(["1.1", "0.13", "0.9", "37", "9", "96"]), st.integers(-(10**9), 10**9), st.integers(0, 3))
def test_no_number_is_a_multiple_and_none_of_a_step(step: str, digits: int, places: int) -> None:
    value = Fraction(digits, 10**places)
    is_multiple = (value / Fraction(step)).denominator == 1
    found = [plain(value) in terminal for terminal in _both_sides(step)]
    assert [is_multiple, not is_multiple] == found


_SIDES: dict[str, list[Matched]] = {}


def _both_sides(step: str) -> list[Matched]:
    if step not in _SIDES:
        arguments: tuple[dict[str, Any], ...] = (
            {"multiple_of": [Fraction(step)]},
            {"not_multiple_of": [Fraction(step)]},
        )
        _SIDES[step] = [Matched(numbers.terminal(**described)) for described in arguments]
    return _SIDES[step]


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"multiple_of": [1009]}, "the remainders of 1009 are too many"),
        ({"multiple_of": [2**30]}, "are too many"),
        ({"maximum": 10**400}, "at most 400 digits"),
        ({"minimum": Decimal("1e-401")}, "at most 400 digits"),
        ({"minimum": Decimal("1e1000000000")}, "at most 400 digits"),
        ({"multiple_of": [Fraction(1, 3)]}, "at most 400 digits"),
    ],
)
def test_what_cannot_be_said_is_named(described: dict[str, Any], reason: str) -> None:
    with pytest.raises(InexpressibleError, match=reason):
        numbers.terminal(**described)


def test_a_large_step_is_said_where_its_multiples_are_few() -> None:
    terminal = Matched(numbers.terminal(is_integer=True, minimum=0, maximum=100_000, multiple_of=[1009]))
    assert [0, 1009, 2018] == [value for value in range(3000) if str(value) in terminal]
