"""The weights of a drafter before its first lesson."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, prior
from ngramspec.drafting.core import Survival
from tests.drafting.test_suffix_index import tokens_of


def test_the_file_holds_a_weight_for_each_kind_of_match() -> None:
    nothing = Survival(knows_nothing=True)
    assert len(nothing.weights) == len(prior.learnt_weights()) == len(Survival().weights)
    assert {0.0} == set(nothing.weights)
    assert any(Survival().weights)


@given(st.lists(st.none() | st.integers(-900, 900).map(lambda number: number / 100), max_size=50))
def test_any_weights_are_read_as_they_were_written(weights: list[float | None]) -> None:
    import json

    found = [None if number is None else number / 100 for number in json.loads(prior.written(weights))]
    assert weights == pytest.approx(found)


def test_a_long_match_is_trusted_from_the_first_token_on_and_a_chance_one_is_not() -> None:
    drafter = AdaptiveLookup()
    sure, chance = drafter.open(), drafter.open()
    sure.extend(tokens_of([*range(100, 180), 99, 98]))
    sure.extend(tokens_of(list(range(100, 140))))
    chance.extend(tokens_of([5, *range(10, 50)]))
    chance.extend(tokens_of([60, 5]))
    assert sure.propose(3).survival[0] > 0.8
    assert chance.propose(3).survival[2] < 0.5


def first_survival(drafter: AdaptiveLookup, *, then: int) -> float:
    """Of a draft of one token, the 4; `then` is what comes."""
    session = drafter.open()
    session.extend(tokens_of([1, 2, 3, 4] * 3))
    session.extend(tokens_of([1, 2, 3]))
    draft = session.propose(1)
    assert [4] == draft.tokens.tolist()
    session.extend(tokens_of([then]))
    return float(draft.survival[0])


def test_features_of_right_tokens_become_surer_and_those_of_wrong_ones_less_sure() -> None:
    prior = AdaptiveLookup().survival.weights
    right, wrong = AdaptiveLookup(), AdaptiveLookup()
    surer = [first_survival(right, then=4) for _ in range(6)]
    less_sure = [first_survival(wrong, then=9) for _ in range(6)]
    assert surer[0] == less_sure[0]
    assert sorted(set(surer)) == surer
    assert sorted(set(less_sure), reverse=True) == less_sure
    assert prior == AdaptiveLookup().survival.weights  # what is shipped stays
