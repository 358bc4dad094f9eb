"""A copy in progress continues after tokens that differ, and is given up after too many."""

import numpy as np

from ngramspec.drafting.core.plain.copies import Copy
from ngramspec.drafting.core.plain.suffix_index import Match

SOURCE = np.arange(100, dtype=np.int32).data


def followed(tokens: list[int], start: int = 10) -> Copy:
    copy = Copy(start)
    for token in tokens:
        copy.follow([token], SOURCE, 100)
    return copy


def test_agreeing_tokens_are_counted() -> None:
    assert Copy(13, 3, 0) == followed([10, 11, 12])


def test_a_replaced_token_is_stepped_over() -> None:
    assert Copy(12, 0, 1) == followed([10, 99])


def test_tokens_left_out_are_skipped() -> None:
    assert Copy(16, 0, 1) == followed([10, 15])


def test_misses_are_forgotten_when_enough_agrees() -> None:
    assert 1 == followed([99, *range(11, 18)]).misses
    assert 0 == followed([99, *range(11, 19)]).misses


def test_a_copy_of_something_else_is_given_up() -> None:
    assert -1 == followed([1] * 21).start


def test_a_copy_ends_at_the_end_of_its_text() -> None:
    assert -1 == followed([98, 99, 100], start=98).start


def test_a_longer_match_takes_the_copy_over_and_a_shorter_one_does_not() -> None:
    copy = Copy(10, 5, 2)
    copy.anchor(Match(5, 50))
    assert Copy(10, 5, 2) == copy
    copy.anchor(Match(6, 50))
    assert Copy(50, 6, 0) == copy
    short = Copy(10, 0, 1)
    short.anchor(Match(3, 50))
    assert Copy(10, 0, 1) == short
