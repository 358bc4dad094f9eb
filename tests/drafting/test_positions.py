"""Positions by key, in bulk and one by one, against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.positions import _MASK, _SPREAD, Positions, grouped, latest

KEYS = st.lists(st.integers(0, (1 << 62) - 1) | st.integers(0, 9), max_size=40)


@given(KEYS, KEYS, KEYS)
def test_any_key_has_the_position_where_it_was_seen_last(bulk: list[int], since: list[int], asked: list[int]) -> None:
    positions = Positions(*latest(*grouped(np.array(bulk, np.int64), 5))) if bulk else Positions()
    known = {key: position for position, key in enumerate(bulk, start=5)}
    for position, key in enumerate(since, start=100):
        positions.recent[key] = known[key] = position
    for key in (*bulk, *since, *asked):
        assert known.get(key) == positions.get(key)


def test_no_key_has_the_hash_at_which_a_search_ends() -> None:
    assert -pow(_SPREAD, -1, _MASK + 1) % (_MASK + 1) >= 1 << 62
