"""Whatever is asked in whatever order, a matcher answers as its language does, and only `advance` moves it."""

from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ngramspec.errors import GuardError
from ngramspec.guards import Matcher
from ngramspec.guards.types import num_words, unpacked
from tests.guards.oracles import OracleMatcher
from tests.guards.strategies import cases, vocabularies

GARBAGE = -7


def rows(matcher: Matcher, draft: list[int]) -> tuple[int, list[set[int]]]:
    """What `fill` returns, and its rows as sets; the room for them is wider than need be, and full of garbage."""
    out = np.full((len(draft) + 1, num_words(len(matcher.vocabulary)) + 1), GARBAGE, np.int32)
    num_legal = matcher.fill(draft, out)
    return num_legal, [set(np.flatnonzero(row).tolist()) for row in unpacked(out)]


class MatcherMachine(RuleBasedStateMachine):
    """backend, phases: what is tested. exact: whether masks are all of the language, not only a usable part of it."""

    backend: ClassVar[str]
    phases: ClassVar[str]
    exact: ClassVar[bool]

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        vocabulary, ends = data.draw(vocabularies())
        self.case = data.draw(cases(self.backend, self.phases))
        self.guard = self.case.make(vocabulary)
        self.oracle = OracleMatcher(self.case.language, vocabulary, ends)
        self.matcher = self.guard.matcher(ends)
        self.tokens: list[int] = []

    def draft(self, data: st.DataObject, max_size: int = 5) -> list[int]:
        """Mostly tokens that are legal one after the other, with anything in between."""
        found: list[int] = []
        for _ in range(data.draw(st.integers(0, max_size))):
            legal = sorted(token for token in self.candidates() if self.legal_behind(found, token))
            anything = st.integers(-2, len(self.oracle.vocabulary) + 3)
            found.append(data.draw(st.one_of(st.sampled_from(legal), anything) if legal else anything))
        return found

    def candidates(self) -> set[int]:
        return {*range(len(self.oracle.vocabulary)), *self.oracle.eos_tokens}

    def legal_behind(self, draft: list[int], token: int) -> bool:
        return self.oracle.allows([*self.tokens, *draft], token)

    def num_legal(self, draft: list[int]) -> int:
        """The length of the draft's head that the language allows."""
        for place, token in enumerate(draft):
            if not self.legal_behind(draft[:place], token):
                return place
        return len(draft)

    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        draft = self.draft(data, 3)
        if self.num_legal(draft) == len(draft):
            self.matcher.advance(np.array(draft, np.int32))
            self.tokens += draft
            return
        with pytest.raises(GuardError) as caught:
            self.matcher.advance(draft)
        assert self.tokens == caught.value.tokens

    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        draft = self.draft(data)
        num_legal, masks = rows(self.matcher, draft)
        assert num_legal <= self.num_legal(draft)
        assert all(draft[place] in masks[place] for place in range(num_legal))
        assert num_legal == len(draft) or draft[num_legal] not in masks[num_legal]
        assert not any(masks[num_legal + 1 :])
        for place, mask in enumerate(masks[: num_legal + 1]):
            self.compare(mask, [*self.tokens, *draft[:place]])

    def compare(self, mask: set[int], tokens: list[int]) -> None:
        expected = self.oracle.mask(tokens)
        ends = self.oracle.eos_tokens
        assert expected & ends == mask & ends
        assert mask <= expected
        if self.exact:
            assert expected == mask

    @rule(data=st.data())
    def look_ahead(self, data: st.DataObject) -> None:
        draft = self.draft(data)
        pushed: list[int] = []
        with self.matcher.lookahead() as lookahead:
            for token in draft:
                assert self.legal_behind(pushed, token) == lookahead.push(token)
                if self.legal_behind(pushed, token):
                    pushed.append(token)
                if data.draw(st.booleans()):
                    self.check_forced(lookahead.forced(), pushed)
                if data.draw(st.booleans()):
                    mask = {token for token in range(-1, len(self.oracle.vocabulary) + 2) if lookahead.allowed(token)}
                    self.compare(mask, [*self.tokens, *pushed])

    def check_forced(self, forced: bytes, pushed: list[int]) -> None:
        """Nothing else can come, and the row cannot end."""
        tokens = [*self.tokens, *pushed]
        assert not (forced and self.oracle.ended(tokens))
        text = self.oracle.text(tokens)
        for byte in forced:
            assert not self.oracle.language.whole(text)
            assert {byte} == {other for other in range(256) if self.oracle.language.alive((*text, other))}
            text = (*text, byte)

    @rule()
    def accepting(self) -> None:
        assert self.oracle.accepting(self.tokens) == self.matcher.accepting()

    @invariant()
    def equals_a_fresh_one_that_was_fed_the_same(self) -> None:
        if not hasattr(self, "matcher"):
            return
        fresh = self.guard.matcher(self.oracle.eos_tokens)
        fresh.advance(self.tokens)
        assert rows(fresh, []) == rows(self.matcher, [])
        assert fresh.accepting() == self.matcher.accepting()
        assert fresh.ended == self.matcher.ended


def machine(backend: str, phases: str, exact: bool, max_examples: int) -> Any:
    name = f"{backend} {phases}".title().replace(" ", "").replace("-", "")
    made = type(name, (MatcherMachine,), {"backend": backend, "phases": phases, "exact": exact})
    case = made.TestCase
    case.settings = settings(max_examples=max_examples, stateful_step_count=12, deadline=None)
    return case


# llguidance masks one way to cut a text that must come, so its masks are a part of the language.
TestLlguidance = machine("llguidance", "", exact=False, max_examples=150)
TestXgrammar = machine("xgrammar", "", exact=True, max_examples=100)
TestLlguidanceAfter = machine("llguidance", "after", exact=False, max_examples=80)
TestLlguidanceBetween = machine("llguidance", "between", exact=False, max_examples=150)
TestLlguidanceBetweenAfter = machine("llguidance", "between after", exact=False, max_examples=60)
TestLlguidanceBetweenBetween = machine("llguidance", "between between", exact=False, max_examples=60)
TestXgrammarAfter = machine("xgrammar", "after", exact=True, max_examples=60)
TestXgrammarBetween = machine("xgrammar", "between", exact=True, max_examples=100)
TestXgrammarBetweenAfter = machine("xgrammar", "between after", exact=True, max_examples=40)
