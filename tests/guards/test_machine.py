"""Whatever is called in whatever order, a matcher answers as its language, and only `advance` moves it."""

from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ngramspec.errors import GuardError
from ngramspec.guards import Matcher
from ngramspec.guards.types import num_words, unpacked
from tests.guards.oracles import OracleMatcher
from tests.guards.strategies import CHARACTERS, SINGLE_BYTES, case, chances, eos_tokens, vocabulary

GARBAGE = -7
CHARACTER_TOKENS = {character.encode() for character in CHARACTERS}
ANY_BYTE = {byte for text in SINGLE_BYTES for byte in text} | {ord("x")}


def together(matchers: list[Matcher], drafts: list[list[int]]) -> list[tuple[int, list[set[int]]]]:
    """As `rows`, of several matchers of one company in one call."""
    filled = matchers[0].fill_all(matchers, drafts)
    assert all(each.error is None for each in filled)
    return [(each.num_legal, [set(np.flatnonzero(row).tolist()) for row in unpacked(each.bits)]) for each in filled]


def rows(matcher: Matcher, draft: list[int]) -> tuple[int, list[set[int]]]:
    """What `fill` returns, and its rows as sets; the room for them is wider than need be, and full of garbage."""
    out = np.full((len(draft) + 1, num_words(len(matcher.vocabulary)) + 1), GARBAGE, np.int32)
    num_legal = matcher.fill(draft, out)
    return num_legal, [set(np.flatnonzero(row).tolist()) for row in unpacked(out)]


class MatcherMachine(RuleBasedStateMachine):
    """backend, phases: what is tested.

    Masks may be a part of the language: llguidance's are one way to cut a text that must come, and xgrammar leaves out
    tokens of several characters where the first of them is none (docs/upstream.md). `test_reaching.py` says that all
    texts can be written all the same.
    """

    backend: ClassVar[str]
    phases: ClassVar[str]

    @initialize(chance=chances)
    def start(self, chance: Random) -> None:
        # outlines-core refuses a vocabulary that cannot write all texts.
        made = vocabulary(chance, all_bytes=self.backend == "outlines-core")
        ends = eos_tokens(chance, made)
        self.case = case(chance, self.backend, self.phases)
        self.guard = self.case.make(made)
        self.oracle = OracleMatcher(self.case.language, made, ends)
        self.matcher = self.guard.matcher(ends)
        self.texts = {text for token, text in enumerate(made.tokens) if token not in made.special}
        self.tokens: list[int] = []
        note(f"{self.case} of {made.tokens}, special {sorted(made.special)}, ends {sorted(ends)}")

    def draft(self, chance: Random) -> list[int]:
        """Mostly tokens that are legal one after the other, with anything in between."""
        found: list[int] = []
        for _ in range(chance.randint(0, 5)):
            legal = sorted(token for token in self.candidates() if self.legal_after(found, token))
            anything = chance.randint(-2, len(self.oracle.vocabulary) + 3)
            found.append(chance.choice(legal) if legal and chance.randrange(6) else anything)
        note(f"draft {found}")
        return found

    def candidates(self) -> set[int]:
        return {*range(len(self.oracle.vocabulary)), *self.oracle.eos_tokens}

    def legal_after(self, draft: list[int], token: int) -> bool:
        return self.oracle.allows([*self.tokens, *draft], token)

    def num_legal(self, draft: list[int]) -> int:
        """The length of the draft's head that the language allows."""
        for position, token in enumerate(draft):
            if not self.legal_after(draft[:position], token):
                return position
        return len(draft)

    @rule(chance=chances)
    def advance(self, chance: Random) -> None:
        draft = self.draft(chance)[:3]
        if self.num_legal(draft) == len(draft):
            self.matcher.advance(np.array(draft, np.int32))
            self.tokens += draft
            return
        with pytest.raises(GuardError) as caught:
            self.matcher.advance(draft)
        assert self.tokens == caught.value.tokens

    @rule(chance=chances)
    def fill(self, chance: Random) -> None:
        draft = self.draft(chance)
        num_legal, masks = rows(self.matcher, draft)
        assert num_legal <= self.num_legal(draft)
        assert all(draft[position] in masks[position] for position in range(num_legal))
        assert num_legal == len(draft) or draft[num_legal] not in masks[num_legal]
        assert not any(masks[num_legal + 1 :])
        for position, mask in enumerate(masks[: num_legal + 1]):
            self.compare(mask, [*self.tokens, *draft[:position]])

    @rule(chance=chances)
    def fill_all(self, chance: Random) -> None:
        others = [self.guard.matcher(self.oracle.eos_tokens) for _ in range(chance.randint(0, 2))]
        for other in others:
            other.advance(self.tokens[: chance.randint(0, len(self.tokens))])
        company = [matcher for matcher in [self.matcher, *others] if matcher.company == self.matcher.company]
        drafts = [self.draft(chance) for _ in company]
        expected = [rows(matcher, draft) for matcher, draft in zip(company, drafts, strict=True)]
        assert expected == together(company, drafts)

    @rule(chance=chances)
    def look_far_ahead(self, chance: Random) -> None:
        draft = self.draft(chance)
        with self.matcher.lookahead() as lookahead:
            num_pushed = lookahead.push_all(draft)
            assert self.num_legal(draft) == num_pushed
            num_popped = chance.randint(0, num_pushed)
            lookahead.pop(num_popped)
            assert num_popped == lookahead.push_all(draft[num_pushed - num_popped : num_pushed])
            for num_left in range(num_pushed, -1, -1):
                assert self.oracle.accepting([*self.tokens, *draft[:num_left]]) == lookahead.accepting()
                if num_left:
                    lookahead.pop()

    def compare(self, mask: set[int], tokens: list[int]) -> None:
        expected = self.oracle.mask(tokens)
        ends = self.oracle.eos_tokens
        assert expected & ends == mask & ends
        assert mask <= expected
        if self.backend == "outlines-core" or (self.backend == "xgrammar" and CHARACTER_TOKENS <= self.texts):
            assert expected == mask

    @rule(chance=chances)
    def look_ahead(self, chance: Random) -> None:
        draft = self.draft(chance)
        pushed: list[int] = []
        with self.matcher.lookahead() as lookahead:
            for token in draft:
                assert self.legal_after(pushed, token) == lookahead.push(token)
                if self.legal_after(pushed, token):
                    pushed.append(token)
                if chance.randrange(2):
                    self.check_forced(lookahead.forced(), pushed)
                if chance.randrange(2):
                    mask = {token for token in range(-1, len(self.oracle.vocabulary) + 2) if lookahead.allowed(token)}
                    self.compare(mask, [*self.tokens, *pushed])

    def check_forced(self, forced: bytes, pushed: list[int]) -> None:
        """Nothing else can come, and the row cannot end."""
        tokens = [*self.tokens, *pushed]
        assert not (forced and self.oracle.ended(tokens))
        text = self.oracle.text(tokens)
        for byte in forced:
            assert not self.oracle.language.whole(text)
            assert {byte} == {other for other in ANY_BYTE if self.oracle.language.alive((*text, other))}
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


def machine(backend: str, phases: str, max_examples: int) -> Any:
    name = f"{backend} {phases}".title().replace(" ", "").replace("-", "")
    case: Any = type(name, (MatcherMachine,), {"backend": backend, "phases": phases}).TestCase  # type: ignore[attr-defined]
    case.settings = settings(max_examples=max_examples, stateful_step_count=10, deadline=None)
    return case


TestOutlinesCore = machine("outlines-core", "", 60)
TestLlguidance = machine("llguidance", "", 60)
TestLlguidanceAfter = machine("llguidance", "after", 40)
TestLlguidanceOpened = machine("llguidance", "opened", 60)
TestLlguidanceBetween = machine("llguidance", "between", 60)
TestLlguidanceBetweenAfter = machine("llguidance", "between after", 30)
TestLlguidanceBetweenOpened = machine("llguidance", "between opened", 40)
TestLlguidanceBetweenBetween = machine("llguidance", "between between", 30)
TestXgrammar = machine("xgrammar", "", 40)
TestXgrammarAfter = machine("xgrammar", "after", 30)
TestXgrammarOpened = machine("xgrammar", "opened", 40)
TestXgrammarBetween = machine("xgrammar", "between", 40)
TestXgrammarBetweenAfter = machine("xgrammar", "between after", 30)
