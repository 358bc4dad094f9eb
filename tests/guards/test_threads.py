"""Guards are shared between threads, matchers are not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, EOS

A = ord("a")
backends = pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])


@backends
def test_a_matcher_that_is_in_use_raises_instead_of_crashing(backend: Backend) -> None:
    matcher = Guard.regex("a*", BYTES, backend=backend).matcher()
    with matcher.lookahead() as lookahead, ThreadPoolExecutor(1) as other:
        for ask in (lambda: matcher.advance([A]), lambda: rows(matcher, []), matcher.accepting):
            with pytest.raises(GuardError, match="a matcher serves one thread at a time"):
                other.submit(ask).result()
        assert lookahead.push(A)
    matcher.advance([A, EOS])


def test_a_matcher_cannot_advance_while_a_lookahead_is_open_and_the_lookahead_ends_with_its_block() -> None:
    matcher = Guard.regex("ab", BYTES).matcher()
    with matcher.lookahead() as lookahead, pytest.raises(GuardError, match="while a lookahead is open"):
        matcher.advance([A])
    for ask in (lambda: lookahead.push(A), lambda: lookahead.allowed(A), lookahead.forced):
        with pytest.raises(GuardError, match="a lookahead serves inside its `with` block"):
            ask()
    matcher.advance([A])


@pytest.mark.parametrize("phases", ["", "between"])
@backends
def test_many_matchers_of_one_guard_run_in_parallel(backend: Backend, phases: str) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}, "required": ["n"]}
    guard = Guard.json_schema(schema, BYTES, backend=backend)
    text = b'{"name": "a \xc3\xa9 b", "n": 12}'
    if phases:
        guard, text = guard.between("<", ">"), b"free <" + text + b"> free"
    expected = walk(guard, text, 0)
    assert expected
    barrier = threading.Barrier(8)

    def run(seed: int) -> list[object]:
        barrier.wait()
        return walk(guard, text, seed)

    with ThreadPoolExecutor(8) as threads:
        assert [expected] * 8 == list(threads.map(run, range(8)))


def walk(guard: Guard, text: bytes, seed: int) -> list[object]:
    """All masks along `text`, with lookaheads of a random length in between that change nothing."""
    chance = Random(seed)
    matcher = guard.matcher()
    found: list[object] = []
    for position, token in enumerate(text):
        found.append(rows(matcher, list(text[position : position + 4])))
        with matcher.lookahead() as lookahead:
            assert all(lookahead.push(later) for later in text[position : position + chance.randrange(6)])
        matcher.advance([token])
    return [*found, matcher.accepting()]
