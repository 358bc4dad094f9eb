"""Successors of a context against a count over all positions of the text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.successors import ORDERS, WALKED, WIDTH, Counts, successors
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR
from tests.drafting.test_suffix_index import index_of, texts


def ends_of(text: list[int], end: list[int]) -> list[int]:
    """The positions, the latest first, at which `text` reads `end`, and goes on."""
    return [at for at in reversed(range(len(text) - 1)) if text[max(0, at + 1 - len(end)) : at + 1] == end]


def counted(text: list[int], tail: list[int]) -> list[Counts]:
    """As one would say it: of the latest positions that read the last one, two or four tokens, those that read all."""
    found = []
    for order in ORDERS:
        searched = min(order, 4)
        if len(tail) < order or not text:
            break
        counts: Counts = {}
        for at in ends_of(text, tail[-searched:])[:WALKED]:
            token = text[at + 1]
            reads = text[max(0, at + 1 - order) : at + 1] == tail[-order:]
            if reads and token != SEPARATOR and (token in counts or len(counts) < WIDTH):
                counts[token] = counts.get(token, 0) + 1
        if not counts:
            break
        found.append(counts)
    return found


@given(text=texts(), tail=texts(), own=st.integers(0, 250))
@settings(max_examples=300, deadline=None)
def test_any_context_is_followed_by_what_the_text_says(text: list[int], tail: list[int], own: int) -> None:
    tail = [*text[:own], *tail]  # with an end of its own, or one that the text has
    expected, actual = counted(text, tail), successors(index_of(text), tail)
    assert expected == actual
    assert [[*counts] for counts in expected] == [[*counts] for counts in actual]  # the latest first


def test_of_many_occurrences_the_latest_are_counted_and_of_many_successors_the_latest_kept() -> None:
    text = [token for follower in range(1, 101) for token in (0, follower)]
    [alone] = successors(index_of([*text, 9]), [0])
    assert [*range(100, 100 - WIDTH, -1)] == [*alone]
    again = [0, 1, 2] * 60
    assert [WALKED] * len(ORDERS) == [counts[0] for counts in successors(index_of(again), again)]


def test_no_answer_is_followed_by_the_beginning_of_the_next_one() -> None:
    assert [] == successors(index_of([SEPARATOR, 1, 2, SEPARATOR, 3]), [2])
