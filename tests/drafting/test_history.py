"""A history is bounded, drops whole answers, oldest first, and finds the most similar prompt."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core import SEPARATOR
from ngramspec.drafting.history import History
from ngramspec.drafting.sketch import sketch
from ngramspec.drafting.types import TokenArray
from tests.drafting.test_suffix_index import tokens_of


def answers(history: History) -> list[list[int]]:
    text = history.index.text.tolist()
    found: list[list[int]] = []
    for token in text:
        if token == SEPARATOR:
            found.append([])
        else:
            found[-1].append(token)
    return found


def prompt(seed: int, size: int = 100) -> TokenArray:
    return np.random.default_rng(seed).integers(0, 1000, size, np.int32)


def kept(history: History, seed: int) -> list[int]:
    """The first five tokens of the answer whose prompt is most like the one of that seed."""
    start = history.sketches.most_similar(sketch(prompt(seed)))
    tokens: list[int] = history.index.text[start : start + 5].tolist()
    return tokens if start >= 0 else []


@given(lengths=st.lists(st.integers(0, 30), max_size=60), max_tokens=st.integers(128, 300))
@settings(deadline=None)
def test_it_holds_the_latest_whole_answers_within_its_bound(lengths: list[int], max_tokens: int) -> None:
    history = History(max_tokens)
    given_answers = [[number] * length for number, length in enumerate(lengths) if length]
    for answer in given_answers:
        history.add([], tokens_of(answer))
        assert len(history.index) <= max_tokens
        assert answer == answers(history)[-1]
    found = answers(history)
    assert given_answers[len(given_answers) - len(found) :] == found
    assert sum(map(len, found)) == history.num_tokens
    # At most an answer's length more than the older half was let go.
    assert history.num_tokens >= min(sum(map(len, given_answers)), max_tokens // 2 - 50 - len(found))


def test_the_n_grams_of_prompts_count_as_tokens() -> None:
    history = History(1000)
    for seed in range(50):
        history.add(sketch(prompt(seed, 1000)), tokens_of([seed] * 5))
        assert len(history.index) + len(history.sketches) == history.size <= 1000
    assert len(history.sketches) > 300
    assert [49] * 5 == kept(history, 49)


def test_the_answer_to_the_same_prompt_is_the_most_similar_one_wherever_it_moved() -> None:
    history = History(512)
    for seed in range(20):
        history.add(sketch(prompt(seed)), tokens_of([seed] * 20))
    assert [17] * 5 == kept(history, 17)
    assert [] == kept(history, 0)  # forgotten
    assert [] == kept(history, 99)
    history.refer([tokens_of([100] * 50)])
    assert [17] * 5 == kept(history, 17)


def test_a_shared_template_does_not_outvote_the_prompts_own_words() -> None:
    history = History(1 << 16)
    template = prompt(1000, 400)
    for seed in range(20):
        history.add(sketch(np.concatenate((template, prompt(seed, 60)))), tokens_of([seed] * 5))
    start = history.sketches.most_similar(sketch(np.concatenate((template, prompt(3, 60)))))
    assert [3] * 5 == history.index.text[start : start + 5].tolist()


def test_an_answer_longer_than_half_the_bound_is_kept_by_its_end() -> None:
    history = History(65)
    history.add([], tokens_of(list(range(100))))
    assert [list(range(68, 100))] == answers(history)


def test_a_history_too_small_for_a_prompts_sketch_keeps_nothing() -> None:
    history = History(12)
    history.add(list(range(11)), tokens_of([1, 2, 3]))
    assert 0 == history.size


@given(
    references=st.lists(st.lists(st.integers(0, 5), max_size=10), max_size=3),
    lengths=st.lists(st.integers(1, 30), max_size=30),
    others=st.lists(st.lists(st.integers(0, 5), max_size=10), max_size=3),
)
@settings(deadline=None)
def test_references_stay_until_they_are_replaced_and_answers_stay_then(
    references: list[list[int]], lengths: list[int], others: list[list[int]]
) -> None:
    history = History(100)
    history.refer([tokens_of(text) for text in references])
    for number, length in enumerate(lengths):
        history.add([], tokens_of([number] * length))
    found = answers(history)
    assert references == found[: len(references)]
    history.refer([tokens_of(text) for text in others])
    assert others + found[len(references) :] == answers(history)


def test_the_same_references_again_change_nothing() -> None:
    history = History(100)
    history.refer([tokens_of([1, 2, 3])])
    index = history.index
    history.refer([tokens_of([1, 2, 3])])
    assert history.index is index


def test_the_older_half_is_let_go_until_nothing_but_references_is_left() -> None:
    history = History(100)
    history.refer([tokens_of([1, 2, 3])])
    for number in range(8):
        history.add([], tokens_of([number] * 4))
    sizes = []
    while history.forget_older_half():
        sizes.append(len(answers(history)) - 1)
    assert [4, 2, 1, 0] == sizes
    assert [[1, 2, 3]] == answers(history)
