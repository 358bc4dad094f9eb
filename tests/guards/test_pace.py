"""A row ends where a grammar becomes slow to read, by name; other rows go on."""

from collections.abc import Callable

import numpy as np
import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Limits, Matcher
from ngramspec.guards.backends import pace as paces
from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.source import Backend
from ngramspec.guards.types import BackendError, num_words
from tests.guards.vocabularies import BYTES, words

A, B = ord("a"), ord("b")
START = 20_000
AMBIGUOUS = f'root ::= "{"b" * START}" s\n' + 's ::= s s s | s s | "a"\n'
"""Far enough from the beginning that nobody who tries it finds out."""


class Clock:
    """A clock that goes on by what the calls say."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float) -> Callable[[], str]:
        def call() -> str:
            self.now += seconds
            return "answer"

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(paces, "perf_counter", made)
    monkeypatch.setattr(paces, "thread_time", made)
    return made


def test_quick_steps_go_on_for_ever_and_a_slow_one_alone_is_forgiven(clock: Clock) -> None:
    pace = Pace(0.02)
    for _ in range(100):
        assert ["answer"] * 3 == [pace.step(1, clock.takes(seconds)) for seconds in (0.0009, 5.0, 0.0009)]
    assert "answer" == pace.step(100, clock.takes(0.09))
    assert "answer" == pace.mask(clock.takes(0.59))


def test_slow_steps_in_a_row_are_too_many_and_so_is_one_much_slower(clock: Clock) -> None:
    pace = Pace(0.02)
    for _ in range(3):
        pace.step(1, clock.takes(0.0041))
    with pytest.raises(
        BackendError, match=r"too many ways to be read, 4.1 ms for each of 1 bytes with max_step_seconds=0.02: make"
    ):
        pace.step(1, clock.takes(0.0041))
    pace.step(1, clock.takes(0.0041))
    with pytest.raises(BackendError, match="limits=Limits"):
        pace.step(1, clock.takes(0.021))
    with pytest.raises(BackendError, match="601 ms for a mask"):
        pace.mask(clock.takes(0.601))


def advance_one_by_one(matcher: Matcher, tokens: list[int]) -> None:
    for token in tokens:
        matcher.advance([token])


def test_a_token_is_looked_at_first_where_it_is_long_or_reading_has_been_slow(clock: Clock) -> None:
    pace = Pace(0.02)
    assert [False, False, True] == [pace.needs_look(num_bytes) for num_bytes in (1, 16, 17)]
    pace.step(1, clock.takes(0.0001))
    assert [False, True] == [pace.needs_look(num_bytes) for num_bytes in (1, 2)]
    assert [4, 8, 12] == list(pace.pieces(16))
    pace.step(1, clock.takes(0.0011))
    assert [1, 2, 3] == list(pace.pieces(4))
    assert ("answer", 0.015625) == pace.look(clock.takes(0.015625))
    with pytest.raises(BackendError, match="too many ways to be read, 31 ms for a part of a token"):
        pace.look(clock.takes(0.03125))


@pytest.mark.usefixtures("machine_pace")
@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_a_row_ends_where_its_text_has_too_many_ways_to_be_read_and_another_goes_on(backend: Backend) -> None:
    guard = Guard.grammar(AMBIGUOUS, BYTES, backend=backend)
    slow, quick = guard.matcher(), guard.matcher()
    tokens = [B] * START + [A] * 10_000
    slow.advance(tokens[:START])
    message = r"must say what is allowed next, got a text has too many ways .*limits=Limits"
    with pytest.raises(GuardError, match=message) as raised:
        advance_one_by_one(slow, tokens[START:])
    assert tokens[: len(raised.value.tokens)] == raised.value.tokens
    assert START < len(raised.value.tokens)
    quick.advance([*tokens[: START + 2], A])
    assert quick.accepting()


def test_a_limit_that_is_raised_lets_more_be_read() -> None:
    def num_read(limits: Limits) -> int:
        matcher = Guard.grammar('start: s\ns: s s s | s s | "a"\n', BYTES, limits=limits).matcher()
        for num_tokens in range(100):
            try:
                matcher.advance([A])
            except GuardError:
                return num_tokens
        return 100

    assert num_read(Limits(max_row_items=50)) < num_read(Limits(max_row_items=200)) < 100


def test_llguidance_refuses_what_is_slow_from_the_beginning() -> None:
    alternatives = " | ".join(['"a" | item item | item item item'] * 120)
    with pytest.raises(GuardError, match=r"able to compile the Lark grammar, got: a text has too many ways to be read"):
        Guard.grammar(f"start: item*\nitem: {alternatives}\n", BYTES)


@pytest.mark.parametrize("pattern", ["((a{1,100}){1,100}){1,100}", "(((a?){0,30}){0,30}){0,30}"])
def test_xgrammar_refuses_what_is_slow_from_the_beginning(pattern: str) -> None:
    with pytest.raises(GuardError, match=r"xgrammar must be able to compile the regex, got: a text has too many ways"):
        Guard.regex(pattern, BYTES, backend="xgrammar")


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_a_long_token_is_looked_at_in_pieces_and_then_read_at_once(backend: Backend) -> None:
    vocabulary = words("a" * 100, "a" * 40 + "b" + "a" * 59)
    matcher = Guard.regex("a*", vocabulary, backend=backend).matcher()
    matcher.advance([256, A, 256])
    out = np.zeros((2, num_words(len(vocabulary))), np.int32)
    assert 1 == matcher.fill([256], out)
    with pytest.raises(GuardError, match="is not allowed"):
        matcher.advance([257])
    matcher.advance([256])


def test_reading_a_text_takes_no_longer_than_the_limit() -> None:
    guard = Guard.regex("a*", BYTES, limits=Limits(max_seconds=1.0)).between("<", ">")
    with pytest.raises(GuardError, match=r"reading a text must take at most max_seconds=1, got \d+ of 20000001 bytes"):
        guard.accepts("<" + "a" * 20_000_000)
