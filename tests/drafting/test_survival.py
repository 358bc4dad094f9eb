"""Survival is online logistic regression: compared with one that has named features, and tested by its results."""

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.features import AHEAD, FURTHEST, NOT_FORESEEN, foreseen_index, recent_index
from ngramspec.drafting.core.plain.key import STATES, pack
from ngramspec.drafting.core.plain.survival import LEAST_ERROR, Survival
from tests.drafting.test_key import offers
from tests.oracles import OracleSurvival

FORESEEN = st.none() | st.tuples(st.sampled_from([0, 1, 63]), st.booleans())
WEIGHED = st.tuples(offers(), st.integers(0, 60), FORESEEN)
"""A token that is weighed: its offer, the position in the draft, and what is foreseen there."""

ROUNDS = st.lists(
    st.tuples(st.floats(0, 1), st.lists(WEIGHED, max_size=6), st.lists(st.integers(0, 3), max_size=61)), max_size=8
)


@given(rounds=ROUNDS)
@settings(max_examples=300, deadline=None)
def test_any_lessons_move_the_weights_as_the_oracle_moves_them(
    rounds: "list[tuple[float, list[tuple[tuple[list[int], list[int]], int, tuple[int, bool] | None]], list[int]]]",
) -> None:
    survival, oracle = Survival(knows_nothing=True), OracleSurvival()
    for share, weighed, right in rounds:
        lessons, expected_lessons, recent = [], [], recent_index(share)
        for token, ((states, offered), position, foreseen) in enumerate(sorted(weighed, key=lambda one: one[1])):
            ahead = AHEAD[min(position, FURTHEST)]
            index = NOT_FORESEEN if foreseen is None else foreseen_index(*foreseen)
            probability, features = survival.weigh(pack(states, offered), recent, ahead, index)
            names = oracle.features(states, offered, share, position, foreseen)
            expected = oracle.probability(names)
            assert probability == pytest.approx(expected, rel=1e-12)
            lessons.append((position, token, probability, features))
            expected_lessons.append((position, token, expected, names))
        survival.learn(lessons, right, recent)
        oracle.learn(expected_lessons, right)


def played(outcomes: list[bool], survival: Survival) -> list[float]:
    """How probable a token of one match seemed each time, of which `outcomes` became."""
    key, recent = pack([STATES[5] + 1, 0, 0, 0, 0], [1, 0, 0, 0, 0]), recent_index(0.5)
    seemed = []
    for is_right in outcomes:
        probability, features = survival.weigh(key, recent, AHEAD[0])
        survival.learn([(0, 7, probability, features)], [7 if is_right else 8], recent)
        seemed.append(probability)
    return seemed


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_learnt_probability_approaches_the_observed_share(share: float) -> None:
    outcomes = (np.random.default_rng(0).random(4000) < share).tolist()
    assert share == pytest.approx(np.mean(played(outcomes, Survival(knows_nothing=True))[1000:]), abs=0.03)


def test_traffic_that_changes_is_learnt_anew() -> None:
    survival = Survival(knows_nothing=True)
    seemed = played([True] * 400 + [False] * 400, survival)
    assert seemed[399] > 0.95
    assert seemed[-1] < 0.05


def test_a_new_weight_learns_faster_than_one_that_recordings_have_taught() -> None:
    def step(survival: Survival) -> float:
        first, second = played([True, True], survival)
        return float(np.log(second / (1 - second)) - np.log(first / (1 - first))) / (1 - first)

    assert step(Survival()) < step(Survival(knows_nothing=True))


def test_a_token_that_is_surer_than_the_least_error_teaches_nothing_by_coming() -> None:
    survival = Survival(knows_nothing=True)
    key, recent = pack([STATES[5], 0, 0, 0, 0], [1, 0, 0, 0, 0]), recent_index(0.5)
    before = survival.weights
    _, features = survival.weigh(key, recent, AHEAD[0])
    survival.learn([(0, 7, 1 - LEAST_ERROR / 2, features)], [7], recent)
    assert before == survival.weights
    survival.learn([(0, 7, 1 - LEAST_ERROR * 2, features)], [7], recent)
    assert before != survival.weights


def test_a_lesson_of_a_position_that_the_row_did_not_come_to_teaches_nothing() -> None:
    survival = Survival(knows_nothing=True)
    probability, features = survival.weigh(0, recent_index(0.5), AHEAD[1])
    survival.learn([(1, 7, probability, features)], [7], recent_index(0.5))
    assert {0.0} == {*survival.weights}


def test_before_anything_was_learnt_a_token_seems_as_probable_as_the_prior_odds_say() -> None:
    probability, _ = Survival(knows_nothing=True).weigh(0, recent_index(0.5), AHEAD[0])
    assert 1 / (1 + exp(1)) == pytest.approx(probability)
