"""The pool of lines finds common prefixes of prompts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import common_length
from ngramspec.hf.target.pool import common_prefix_length

TEXTS = st.lists(st.integers(0, 2), max_size=12)


@given(TEXTS, TEXTS, TEXTS)
def test_the_vectorised_length_is_that_of_the_loop(shared: list[int], left: list[int], right: list[int]) -> None:
    one, other = np.array(shared + left, np.int32), np.array(shared + right, np.int32)
    assert common_length(one.tolist(), other.tolist()) == common_prefix_length(one, other)
