"""A history is bounded, forgets whole answers from its old end, and finds the prompt most like another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.history import SEPARATOR, History
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


@given(lengths=st.lists(st.integers(0, 30), max_size=30), max_tokens=st.integers(64, 100))
@settings(deadline=None)
def test_it_holds_the_latest_whole_answers_within_its_bound(lengths: list[int], max_tokens: int) -> None:
    history = History(max_tokens)
    given_answers = [[number] * length for number, length in enumerate(lengths) if length]
    for answer in given_answers:
        history.add(prompt(0), tokens_of(answer))
        assert len(history.index) <= max_tokens
        assert answer == answers(history)[-1]
    kept = answers(history)
    assert given_answers[len(given_answers) - len(kept) :] == kept
    # At most an answer's length more than the older half was let go.
    assert sum(map(len, kept)) >= min(sum(map(len, given_answers)), max_tokens // 2 - 31 - len(kept))


def test_the_answer_to_the_same_prompt_is_the_most_similar_one_wherever_it_moved() -> None:
    history = History(256)
    for seed in range(20):
        history.add(prompt(seed), tokens_of([seed] * 20))
    start = history.similar(prompt(17))
    assert [17] * 20 == history.index.text[start : start + 20].tolist()
    assert -1 == history.similar(prompt(0))  # forgotten
    assert -1 == history.similar(prompt(99))


def test_a_shared_template_does_not_outvote_the_prompts_own_words() -> None:
    history = History()
    template = prompt(1000, 400)
    for seed in range(20):
        history.add(np.concatenate((template, prompt(seed, 60))), tokens_of([seed] * 5))
    start = history.similar(np.concatenate((template, prompt(3, 60))))
    assert [3] * 5 == history.index.text[start : start + 5].tolist()


def test_an_answer_longer_than_the_bound_is_kept_by_its_end() -> None:
    history = History(64)
    history.add(prompt(0), tokens_of(list(range(100))))
    assert [list(range(68, 100))] == answers(history)
