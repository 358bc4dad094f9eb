"""A mixer starts with what shares of counts suggest, and learns which contexts are right."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.mixer import LEAST_CHANCE, MOST_OFFERED, Mixer
from ngramspec.drafting.core.plain.successors import ORDERS, Counts

FOLLOWED = st.dictionaries(st.integers(0, 40), st.integers(1, 4), min_size=1, max_size=8)
COUNTS = st.lists(FOLLOWED, max_size=len(ORDERS))
OFFERS = st.dictionaries(st.integers(0, 40), st.floats(0.0, 1.0), max_size=4)


@given(own=COUNTS, past=COUNTS, offers=OFFERS)
def test_any_contexts_give_chances_to_what_they_and_the_chain_offer(
    own: list[Counts], past: list[Counts], offers: dict[int, float]
) -> None:
    mixer = Mixer()
    estimates = mixer.weigh(own, past, offers)
    tokens = [each.token for each in estimates]
    assert [*offers] == tokens[: len(offers)]
    known = {token for counts in (*own, *past) for token in counts} | {*offers}
    assert len({*tokens}) == len(tokens)
    assert min(len(known), MOST_OFFERED) == len(tokens)
    assert {*tokens} <= known
    for right in tokens[:2]:
        mixer.learn(estimates, right)
    again = mixer.weigh(own, past, offers)
    assert all(LEAST_CHANCE <= each.chance <= 1.0 - LEAST_CHANCE for each in (*estimates, *again))


def chance(mixer: Mixer, own: list[Counts], token: int, offers: dict[int, float] | None = None) -> float:
    return next(each.chance for each in mixer.weigh(own, [], offers or {}) if each.token == token)


def test_at_first_the_more_frequent_and_the_better_known_is_the_surer() -> None:
    mixer = Mixer()
    assert chance(mixer, [{1: 3, 2: 1}], 1) > chance(mixer, [{1: 3, 2: 1}], 2)
    assert chance(mixer, [{1: 8}], 1) > chance(mixer, [{1: 1}], 1)
    longer: list[Counts] = [{1: 2, 2: 2}, {1: 2}]
    assert chance(mixer, longer, 1) > chance(mixer, longer[:1], 1) > chance(mixer, longer, 2)


def test_a_chance_becomes_as_high_as_the_token_is_often_right() -> None:
    for share in (0.2, 0.8):
        mixer, own = Mixer(), [{1: 3, 2: 1}, {1: 2}]
        chances: deque[float] = deque(maxlen=400)
        for number in range(2000):
            estimates = mixer.weigh(own, [], {})
            chances.append(estimates[0].chance)
            mixer.learn(estimates, 1 if number * share % 1.0 < share - 1e-9 else 2)
        assert share == pytest.approx(sum(chances) / len(chances), abs=0.03)


def test_what_no_context_offers_teaches_that_all_were_wrong() -> None:
    mixer, own = Mixer(), [{1: 3, 2: 1}]
    before = [each.chance for each in mixer.weigh(own, [], {})]
    for _ in range(20):
        mixer.learn(mixer.weigh(own, [], {}), 99)
    assert all(late < early for early, late in zip(before, [e.chance for e in mixer.weigh(own, [], {})], strict=True))
