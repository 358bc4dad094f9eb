"""A follower has the position of another library's matcher, allows what that one allows, and never advances it."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher
from xgrammar import GrammarCompiler, GrammarMatcher, TokenizerInfo, VocabType

from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import AdaptiveLookup, TokenArray
from ngramspec.guards import Follower, Guard, LLGuidanceFollower, Matcher, XGrammarFollower
from ngramspec.guards.backends.llguidance import tokenizer_of
from ngramspec.guards.backends.xgrammar import texts_of
from ngramspec.guards.follower import guarded_tail
from ngramspec.guards.source import Language, Source
from tests.guards.vocabularies import BYTES, EOS

SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["ada", "adam", "bo"]}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TEXT = b'{"name": "adam", "age": 41}'


class Foreign:
    """A matcher of another house, and the follower of it."""

    def __init__(self, matcher: Any, follower: Matcher, takes: Callable[[int], bool]) -> None:
        self.matcher, self.takes = matcher, takes
        self.follower: Any = follower


def xgrammar_foreign() -> Foreign:
    info = TokenizerInfo(texts_of(BYTES), VocabType.RAW, stop_token_ids=[EOS])
    matcher = GrammarMatcher(GrammarCompiler(info, max_threads=1).compile_json_schema(json.dumps(SCHEMA)))
    return Foreign(matcher, XGrammarFollower(matcher.fork, BYTES, [EOS]), matcher.accept_token)


def llguidance_foreign() -> Foreign:
    tokenizer = tokenizer_of(BYTES)
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(json.dumps(SCHEMA)), log_level=0)
    follower = LLGuidanceFollower(matcher.deep_copy, BYTES, [EOS], tokenizer)
    return Foreign(matcher, follower, lambda token: matcher.try_consume_tokens([token]) == 1)


FOREIGN = pytest.mark.parametrize("make", [xgrammar_foreign, llguidance_foreign])


def allowed(matcher: Matcher) -> set[int]:
    with matcher.lookahead() as ahead:
        return {token for token in range(len(BYTES)) if ahead.push(token) and not ahead.pop()}  # type: ignore[func-returns-value]


@FOREIGN
@given(steps=st.lists(st.integers(0, 9), max_size=12), looks=st.lists(st.integers(0, 255), max_size=5))
def test_it_allows_what_the_followed_one_takes_wherever_that_stands(
    make: Callable[[], Foreign], steps: list[int], looks: list[int]
) -> None:
    foreign = make()
    own = Guard.json_schema(SCHEMA, BYTES).matcher(eos_tokens=[EOS])
    for step in steps:
        foreign.follower.follow()
        expected = allowed(own)
        assert expected == allowed(foreign.follower)
        with foreign.follower.lookahead() as ahead:
            ahead.push_all([*TEXT[:3], *looks])  # looks ahead, and leaves no trace
        assert own.accepting() == foreign.follower.accepting()
        text = sorted(expected - {EOS})
        if not text:
            return
        token = text[step % len(text)]
        assert foreign.takes(token)
        own.advance([token])


@FOREIGN
def test_a_lookahead_far_beyond_what_the_followed_one_can_undo_is_undone(make: Callable[[], Foreign]) -> None:
    foreign = make()
    for token in TEXT[:5]:
        assert foreign.takes(token)
    foreign.follower.follow()
    for _ in range(3):
        with foreign.follower.lookahead() as ahead:
            assert len(TEXT) - 5 == ahead.push_all(list(TEXT[5:]))
    assert {ord("e")} == allowed(foreign.follower)
    assert foreign.takes(ord("e"))


@FOREIGN
def test_a_fresh_one_is_at_the_start(make: Callable[[], Foreign]) -> None:
    foreign = make()
    for token in TEXT[:9]:
        assert foreign.takes(token)
    fresh = foreign.follower.fresh()
    with fresh.lookahead() as ahead:
        assert len(TEXT) == ahead.push_all(list(TEXT))


@FOREIGN
@pytest.mark.parametrize("reasoning", [b"", b"</think>", b"\n}</think>\n"])
@pytest.mark.parametrize("num_guarded", [0, 1, 9, len(TEXT)])
def test_the_guarded_text_is_found_after_reasoning(
    make: Callable[[], Foreign], reasoning: bytes, num_guarded: int
) -> None:
    found = guarded_tail(make().follower, list(reasoning + TEXT[:num_guarded]))
    assert TEXT[:num_guarded] == bytes(found).lstrip()


@FOREIGN
def test_drafts_are_steered_by_it_with_what_its_schema_foresees(make: Callable[[], Foreign]) -> None:
    foreign = make()
    follower: Follower = foreign.follower
    follower.matcher.source = Source(Language.JSON_SCHEMA, json.dumps(SCHEMA))
    prompt: TokenArray = np.array(list(b"Ada is bo, 41."), np.int32)
    session = AdaptiveLookup().open()
    session.extend(prompt)
    steering = RowSteering([follower.matcher], [prompt], EOS)
    drafted = steering.draft(session, [follower.matcher], 20, 0.0).tokens
    assert bytes(drafted.tolist()).startswith(b'{"name": "')
    for token in drafted.tolist():
        assert foreign.takes(token)
