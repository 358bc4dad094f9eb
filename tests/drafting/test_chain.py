"""A chain drafts the surest token of its sources, within what its steering allows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core.plain import SuffixIndex
from ngramspec.drafting.core.plain.chain import _FAINT, UNSTEERED, Chain
from ngramspec.drafting.core.plain.features import _PER_SOURCE, recent_index
from ngramspec.drafting.core.plain.sources import Source
from ngramspec.drafting.core.plain.spelling import SpelledIndex
from ngramspec.drafting.core.plain.survival import Survival
from ngramspec.drafting.types import Steering
from tests.drafting.test_suffix_index import index_of, tokens_of

VOCABULARY = [b"a", b"b", b"ab", b"ba"]
SHORT = st.lists(st.integers(0, 3), max_size=25)
"""Texts in which no match is so long that the others are not heard."""


@dataclass
class Grammar:
    """Allows all tokens but `refused`, and foresees at each position of a draft what it is told to.

    foresight: by position, a token with its evidence. forcing: the same of what must come. pushed: what was allowed.
    """

    refused: frozenset[int] = frozenset()
    foresight: dict[int, tuple[int, int]] = field(default_factory=dict)
    forcing: dict[int, tuple[int, int]] = field(default_factory=dict)
    pushed: list[int] = field(default_factory=list)

    def foreseen(self) -> tuple[int, int] | None:
        return self.foresight.get(len(self.pushed))

    def forced(self) -> tuple[int, int] | None:
        return self.forcing.get(len(self.pushed))

    def push(self, token: int) -> bool:
        is_allowed = token not in self.refused
        if is_allowed:
            self.pushed.append(token)
        return is_allowed


GRAMMARS = st.builds(
    Grammar,
    st.frozensets(st.integers(0, 6), max_size=3),
    st.dictionaries(st.integers(0, 8), st.tuples(st.integers(0, 6), st.integers(0, 63))),
    st.dictionaries(st.integers(0, 8), st.tuples(st.integers(0, 6), st.just(1))),
)


def drafted(
    text: Sequence[int],
    answer: Sequence[int] = (),
    history: Sequence[int] = (),
    most: int = 12,
    least: float = 0.0,
    steering: Steering = UNSTEERED,
    *,
    is_spelled: bool = False,
) -> Chain:
    """A draft after `text` and the answer, which came token by token."""
    own, past = Source(SuffixIndex()), Source(index_of([*history]))
    own.index.extend(tokens_of([*text]))
    spelled = SpelledIndex(own.index, VOCABULARY) if is_spelled else None
    chain = Chain(own, past, Survival(), spelled)
    for number, token in enumerate(answer):
        chain.draft(answer[:number], recent_index(0.5), 1, 0.0)  # so that there are copies in progress
        size = len(own.index)
        own.index.extend(tokens_of([token]))
        own.follow([token], size)
        past.follow([token], len(history))
    chain.draft(answer, recent_index(0.5), most, least, steering)
    return chain


@given(
    text=SHORT, answer=SHORT, history=SHORT, most=st.integers(1, 12), least=st.floats(_FAINT, 1), spelled=st.booleans()
)
@settings(max_examples=300, deadline=None)
def test_unsteered_drafting_is_steering_that_allows_all_and_foresees_nothing(
    text: list[int], answer: list[int], history: list[int], most: int, least: float, spelled: bool
) -> None:
    blind = drafted(text, answer[:5], history, most, least, is_spelled=spelled)
    steered = drafted(text, answer[:5], history, most, least, Grammar(), is_spelled=spelled)
    assert blind.choices == steered.choices
    assert blind.survivals == pytest.approx(steered.survivals, rel=1e-12)
    assert blind.lessons == steered.lessons


@given(
    text=SHORT, answer=SHORT, history=SHORT, most=st.integers(1, 12), least=st.floats(0, 1),
    grammar=st.none() | GRAMMARS,
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_draft_is_allowed_token_by_token_and_says_how_sure_it_is(
    text: list[int], answer: list[int], history: list[int], most: int, least: float, grammar: Grammar | None
) -> None:
    chain = drafted(text, answer[:5], history, most, least, UNSTEERED if grammar is None else grammar)
    length = len(chain.survivals)
    assert length <= most
    assert all(least <= survival for survival in chain.survivals)
    assert len(chain.choices) - length in (0, 1)
    if grammar is not None:
        assert chain.choices == grammar.pushed
    offered = [
        {token: found for at, token, found, _ in chain.lessons if at == position} for position in range(length + 1)
    ]
    if grammar is None:  # below that survival one source is copied on alone
        faint = [position for position, survival in enumerate(chain.survivals, 1) if survival < _FAINT]
        assert all(len(offered[position]) <= 1 for position in faint)
    sure = [offered[position][token] for position, token in enumerate(chain.choices)]
    assert chain.survivals == pytest.approx([prod(sure[: position + 1]) for position in range(length)])
    refused = frozenset() if grammar is None else grammar.refused
    for token, found in zip(chain.choices, offered, strict=False):
        allowed = {each: probability for each, probability in found.items() if each not in refused}
        assert max(allowed.values()) == allowed[token]
    if len(chain.choices) > length and length < most:
        assert prod(sure) < least


@given(text=SHORT, answer=SHORT, history=SHORT, grammar=st.none() | GRAMMARS)
@settings(max_examples=300, deadline=None)
def test_at_any_position_each_pointer_counts_for_every_token_and_offers_one(
    text: list[int], answer: list[int], history: list[int], grammar: Grammar | None
) -> None:
    chain = drafted(text, answer[:5], history, steering=UNSTEERED if grammar is None else grammar, is_spelled=True)
    heard: dict[int, list[tuple[int, ...]]] = {}
    for position, token, _, features in chain.lessons:
        if grammar is None or token not in {forced for forced, _ in grammar.forcing.values()}:  # it is said afterwards
            heard.setdefault(position, []).append(tuple(feature % _PER_SOURCE for feature in features[-7:-2]))
    for found in heard.values():
        for offers in zip(*found, strict=True):  # of one source, for each token
            [state] = {offer >> 1 for offer in offers}
            assert (state > 0) >= sum(offer & 1 for offer in offers)
    if grammar is None:
        assert all(any(offer & 1 for offer in offers) for found in heard.values() for offers in found)


def test_if_two_pointers_differ_the_surer_one_is_followed_and_both_are_lessons() -> None:
    chain = drafted([1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 4, 5, 6], history=[6, 9, 9], answer=[], most=3)
    assert [7, 8, 0] == chain.choices[:3]
    chain = drafted([1, 2, 3], answer=[4, 5, 6], history=[3, 4, 5, 6, 9, 8, 7], most=3)
    assert [9, 8, 7] == chain.choices
    other = drafted([6, 5, 1, 2, 3, 4, 5, 6, 8, 8], answer=[4, 5, 6], history=[2, 2, 6, 9, 7], most=3)
    assert {8, 9} == {token for position, token, *_ in other.lessons if position == 0}
    assert 8 == other.choices[0]


def test_unsteered_a_pointer_that_offered_another_token_leaves_the_draft() -> None:
    chain = drafted([6, 5, 1, 2, 3, 4, 5, 6, 8, 8], answer=[4, 5, 6], history=[2, 6, 9, 7, 8, 5, 5], most=3)
    assert {8, 9} == {token for position, token, *_ in chain.lessons if position == 0}
    assert [8, 8] == chain.choices[:2]
    assert {8} == {token for position, token, *_ in chain.lessons if position == 1}


def test_a_copy_at_its_matchs_position_is_merged_into_it() -> None:
    chain = drafted([1, 2, 3, 4, 5, 6, 7, 8], answer=[1, 2, 3, 4, 5], most=2)
    match, _, copy, _, _ = chain._pointers
    assert match.start == 7  # both have read on from there
    assert 0b101 == match.offering
    assert copy.start != match.start


def test_after_a_foreseen_token_a_match_that_offered_another_is_looked_up_again() -> None:
    text = [7, 8, 9, 6, 1, 2, 3, 4, 5, 1, 2]
    assert [3, 4, 5] == drafted(text, most=3).choices[:3]
    foreseeing = Grammar(frozenset({3}), {0: (7, 0)})
    assert [7, 8, 9] == drafted(text, most=3, steering=foreseeing).choices[:3]


def test_a_foreseen_token_that_is_refused_makes_way_for_the_one_that_must_come() -> None:
    grammar = Grammar(frozenset({5}), {0: (5, 10)}, {0: (6, 1), 1: (6, 1)})
    assert [6] == drafted([], most=3, steering=grammar).choices


@pytest.mark.parametrize("steering", [UNSTEERED, Grammar()])
def test_where_nothing_matches_nothing_is_drafted(steering: Steering) -> None:
    chain = drafted([1, 2, 3], steering=steering)
    assert ([], [], []) == (chain.choices, chain.survivals, chain.lessons)


def test_a_draft_is_forgotten_by_the_next_one() -> None:
    chain = drafted([1, 2, 3, 1, 2])
    assert chain.choices
    chain.forget()
    assert ([], [], []) == (chain.choices, chain.survivals, chain.lessons)
