"""The packed key of an offer, and the list of weights that it selects: the numbers of both are consistent."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.features import (
    AHEAD,
    FURTHEST,
    LAYOUT,
    NOT_FORESEEN,
    NOT_SPELLED,
    NUM_EVIDENCE,
    NUM_RECENT,
    NUM_WEIGHTS,
    features,
    foreseen_index,
    recent_index,
)
from ngramspec.drafting.core.plain.key import (
    LONGEST,
    NUM_BUCKETS,
    NUM_KINDS,
    NUM_SOURCES,
    OWN,
    SHIFTS,
    SPELLED,
    STATE_BITS,
    STATES,
    pack,
    unpack,
)
from ngramspec.drafting.core.plain.pointers import MOST_MISSES
from ngramspec.drafting.prior import learnt_weights
from ngramspec.foresight import CONTINUED, Evidence
from tests.oracles import named_features

ALL_STATES = [0, *(state + kind for state in sorted({*STATES}) for kind in range(NUM_KINDS))]
"""Nothing, and every length with every kind."""


@st.composite
def offers(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """States of all sources, and which of those that offer something offer the token."""
    state = st.sampled_from([0, STATES[0], STATES[-1]]) | st.sampled_from(ALL_STATES)  # so that some come twice
    states = draw(st.lists(state, min_size=NUM_SOURCES, max_size=NUM_SOURCES))
    return states, [draw(st.integers(0, min(state, 1))) for state in states]


@given(offers())
def test_any_key_is_unpacked_as_it_was_packed(offer: tuple[Sequence[int], Sequence[int]]) -> None:
    states, offered = offer
    assert (tuple(states), tuple(offered)) == unpack(pack(states, offered))


def test_no_two_parts_of_a_key_share_a_bit_and_every_state_fits_its_bits() -> None:
    assert (5, 29) == (SHIFTS[SPELLED], SHIFTS[OWN])
    masks = [1 << source for source in range(NUM_SOURCES)]
    masks += [(1 << STATE_BITS) - 1 << shift for shift in SHIFTS]
    assert sum(masks) == (1 << NUM_SOURCES * (1 + STATE_BITS)) - 1
    assert range(NUM_SOURCES * (1 + STATE_BITS)) == range(sum(mask.bit_count() for mask in masks))
    assert max(ALL_STATES) < 1 << STATE_BITS
    assert LONGEST + 1 == len(STATES)
    assert NUM_BUCKETS == len({*STATES})
    assert MOST_MISSES < NUM_KINDS


@given(st.lists(offers(), min_size=2, max_size=30))
def test_two_keys_have_a_weight_in_common_exactly_where_they_have_that_feature_in_common(
    some: list[tuple[list[int], list[int]]],
) -> None:
    index_of: dict[object, int] = {}
    for states, offered in some:
        *found, longest = features(pack(states, offered))
        *named, expected_longest = named_features(states, offered)
        assert expected_longest == longest
        for name, index in zip(named, found, strict=True):
            assert index == index_of.setdefault(name, index)
    assert len(index_of) == len({*index_of.values()})


def test_every_weight_is_of_one_feature_and_the_prior_has_one_for_each() -> None:
    alone = {
        features(pack(states, offered))[source]
        for source in range(NUM_SOURCES)
        for state in ALL_STATES
        for offered_it in range(min(state, 1) + 1)
        for states in [[state * (each == source) for each in range(NUM_SOURCES)]]
        for offered in [[offered_it * (each == source) for each in range(NUM_SOURCES)]]
    }
    pairs = {
        features(pack([own, past, 0, 0, 0], [by_own, by_past, 0, 0, 0]))[NUM_SOURCES]
        for own in ALL_STATES
        for past in ALL_STATES
        for by_own in range(min(own, 1) + 1)
        for by_past in range(min(past, 1) + 1)
    }
    steps = [step / NUM_RECENT for step in range(NUM_RECENT + 1)]
    recent = {recent_index(share) + longest for share in steps for longest in range(NUM_BUCKETS + 1)}
    foreseen = {
        foreseen_index(evidence, is_foreseen) + by_match
        for evidence in range(NUM_EVIDENCE)
        for is_foreseen in (False, True)
        for by_match in (0, 1)
    }
    parts = [alone, pairs, recent, {*AHEAD}, foreseen]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert max(set().union(*parts)) == NUM_WEIGHTS - 1
    assert NUM_WEIGHTS == len(learnt_weights()) == LAYOUT[1]
    assert NOT_SPELLED == features(0)[SPELLED]
    assert NOT_FORESEEN not in foreseen
    assert FURTHEST + 1 == len(AHEAD)


def test_every_kind_of_evidence_has_a_weight() -> None:
    assert max(Evidence) < CONTINUED
    assert CONTINUED + max(Evidence) < NUM_EVIDENCE
