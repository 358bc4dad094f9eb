"""A change is detected, and false alarms are as rare as documented, for values of any distribution."""

import itertools
import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.watching import change
from ngramspec.watching.change import MEMORY, ChangeDetector
from ngramspec.watching.ranks import Ranks


def rank_of_last(values: tuple[int, ...], drawn: Fraction) -> Fraction:
    """The rank of the last of `values`; drawn: what orders equal ones."""
    ranks = Ranks(lambda: drawn)  # type: ignore[arg-type, return-value]
    found = [ranks.of(value) for value in values]
    return found[-1]  # type: ignore[return-value]


@settings(max_examples=40)
@given(values=st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_a_rank_is_uniform_whatever_the_values_are(values: list[int]) -> None:
    size, orders = len(values), list(itertools.permutations(values))
    density = [Fraction(0)] * size  # of the ranks, in each n-th of [0, 1]
    for order in orders:
        least, most = rank_of_last(order, Fraction(0)), rank_of_last(order, Fraction(1))
        for part in range(size):
            shared = min(most, Fraction(part + 1, size)) - max(least, Fraction(part, size))
            density[part] += max(Fraction(0), shared) / (most - least)
    assert [Fraction(len(orders), size)] * size == density


def test_ranks_of_different_values_are_independent() -> None:
    found = set()
    for order in itertools.permutations(range(5)):
        ranks = Ranks(lambda: 0.5)
        found.add(tuple(math.floor(ranks.of(value) * number) for number, value in enumerate(order, start=1)))
    assert set(itertools.product(*(range(number) for number in range(1, 6)))) == found


@given(scores=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=30), size=st.sampled_from(change.SHIFTS))
def test_odds_are_summed_over_all_positions_of_the_change_and_the_likeliest_is_told(
    scores: list[float], size: float
) -> None:
    shift: change._Shift[int] = change._Shift(size, 0)
    gains = [size * score - size * size / 2 for score in scores]
    for index, score in enumerate(scores):
        shift.take(score, index)
    sums = [sum(gains[index:]) for index in range(len(gains))]
    assert math.isclose(sum(map(math.exp, sums)), shift.odds, rel_tol=1e-9)
    assert sums[shift.since] >= max(sums) - 1e-9 or shift.since == len(gains) - 1


def drawn_from(name: str, rng: random.Random) -> Callable[[], float]:
    return {
        "uniform": rng.random,
        "all equal": lambda: 0.5,
        "mostly 0": lambda: float(rng.random() < 0.03),
        "heavy tails": lambda: math.tan(math.pi * (rng.random() - 0.5)),
        "three values": lambda: float(rng.choice((0.0, 0.4, 1.0))),
    }[name]


def num_alarms(draw: Callable[[], float], num_values: int, rate: float) -> int:
    detector: ChangeDetector[int] = ChangeDetector(random.Random(0).random, rate)
    return sum(detector.take(draw(), index) is not None for index in range(num_values))


@pytest.mark.parametrize("name", ["uniform", "all equal", "mostly 0", "heavy tails", "three values"])
def test_false_alarms_are_no_more_frequent_than_is_said(name: str) -> None:
    """And a rate that nothing reaches would say nothing: there are some."""
    num_values, rate = 8_000, 200
    assert 0 < num_alarms(drawn_from(name, random.Random(1)), num_values, rate) <= num_values / rate


@settings(max_examples=20)
@given(
    values=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8),
    weights=st.lists(st.integers(1, 50), min_size=8, max_size=8),
    seed=st.integers(0, 1 << 30),
)
def test_values_of_any_one_distribution_seldom_raise_an_alarm(
    values: list[float], weights: list[int], seed: int
) -> None:
    rng, num_values = random.Random(seed), 600
    drawn = rng.choices(values, weights[: len(values)], k=num_values)
    assert 0 == num_alarms(iter(drawn).__next__, num_values, 10**9)


@pytest.mark.parametrize("is_rise", [False, True])
@pytest.mark.parametrize("num_before", [40, 128, 200, 256, 1000])
def test_a_change_is_told_after_a_few_values_and_where_it_began(is_rise: bool, num_before: int) -> None:
    rng = random.Random(num_before)
    detector: ChangeDetector[int] = ChangeDetector(random.Random(0).random)
    for index in range(num_before):
        assert detector.take(rng.gauss(0.5, 0.1), index) is None
    told = None
    for index in range(num_before, num_before + 30):
        told = detector.take(rng.gauss(0.9 if is_rise else 0.1, 0.1), index)
        if told is not None:
            break
    assert told is not None
    assert is_rise == told.is_rise
    assert abs(told.first_changed - num_before) <= 3
    assert max(0, num_before - MEMORY) <= told.start < num_before


def test_after_a_change_the_new_values_are_the_usual_ones() -> None:
    rng, detector = random.Random(2), ChangeDetector[int](random.Random(0).random)
    values = [rng.gauss(0.5, 0.1) for _ in range(300)] + [rng.gauss(0.1, 0.1) for _ in range(2000)]
    told = [index for index, value in enumerate(values) if detector.take(value, index) is not None]
    assert 1 == len(told)
    assert 300 <= told[0] < 320


def test_a_value_is_compared_with_a_bounded_number_of_others() -> None:
    rng, detector = random.Random(3), ChangeDetector[int](random.Random(0).random)
    for index in range(5 * MEMORY):
        detector.take(rng.random(), index)
        sizes = [len(epoch) for epoch in detector._epochs]
        assert max(sizes) <= MEMORY
        assert index < MEMORY // 2 or max(sizes) > MEMORY // 2
