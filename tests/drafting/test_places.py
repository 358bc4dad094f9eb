"""Places by key, in bulk and one by one, against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting.places import _MASK, _SPREAD, Places, grouped, latest

KEYS = st.lists(st.integers(0, (1 << 62) - 1) | st.integers(0, 9), max_size=40)


@given(KEYS, KEYS, KEYS)
def test_any_key_has_the_place_where_it_was_seen_last(bulk: list[int], since: list[int], asked: list[int]) -> None:
    places = Places(*latest(*grouped(np.array(bulk, np.int64), 5))) if bulk else Places()
    known = {key: place for place, key in enumerate(bulk, start=5)}
    for place, key in enumerate(since, start=100):
        places.recent[key] = known[key] = place
    for key in (*bulk, *since, *asked):
        assert known.get(key) == places.get(key)


def test_no_key_has_the_hash_at_which_a_search_ends() -> None:
    assert -pow(_SPREAD, -1, _MASK + 1) % (_MASK + 1) >= 1 << 62
