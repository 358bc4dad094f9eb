"""Guards are shared between threads, matchers are not."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Matcher
from ngramspec.guards.backends import llguidance_masks
from ngramspec.guards.filling import Filled, fill
from ngramspec.guards.source import Backend
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, EOS
from tests.test_forking import child_ends_with

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
        with pytest.raises(GuardError, match="a lookahead must be used inside its `with` block"):
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


def many(guard: Guard, num_rows: int) -> tuple[list[Matcher], list[list[int]]]:
    """Matchers at different positions of a text, and drafts of different lengths, some of them illegal at their end."""
    matchers, drafts = [guard.matcher() for _ in range(num_rows)], []
    for row, matcher in enumerate(matchers):
        matcher.advance(TEXT[: 2 * row])
        drafts.append([*TEXT[2 * row : 3 * row], *([A] if row % 2 else [])])
    return matchers, drafts


TEXT = b'{"name": "a \xc3\xa9 b", "n": 12}'
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}, "required": ["n"]}


def same(one: Sequence[Filled], other: Sequence[Filled]) -> bool:
    return all(
        (mine.num_legal, mine.error, mine.bits.tolist()) == (yours.num_legal, yours.error, yours.bits.tolist())
        for mine, yours in zip(one, other, strict=True)
    )


@backends
def test_masks_of_many_rows_are_those_of_each_row_also_where_other_threads_fill_theirs(backend: Backend) -> None:
    guard = Guard.json_schema(SCHEMA, BYTES, backend=backend)
    rows = [many(guard, 8) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda row: type(row[0][0]).fill_all(*row), rows))
    for (matchers, drafts), filled in zip(rows, found, strict=True):
        assert same([fill(matcher, draft) for matcher, draft in zip(matchers, drafts, strict=True)], filled)


def test_a_row_that_cannot_be_filled_has_an_error_and_the_others_their_masks() -> None:
    matchers, drafts = many(Guard.json_schema(SCHEMA, BYTES), 5)
    with matchers[2].lookahead():
        found = matchers[0].fill_all(matchers, drafts)
    assert [None, None, "a matcher serves one thread", None, None] == [
        None if each.error is None else str(each.error)[:27] for each in found
    ]
    others = [row for row in range(5) if row != 2]
    assert same([fill(matchers[row], drafts[row]) for row in others], [found[row] for row in others])


def test_rows_whose_masks_took_long_are_filled_and_timed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    matchers, drafts = many(Guard.json_schema(SCHEMA, BYTES), 5)
    at_once = matchers[0].fill_all(matchers, drafts)
    alone: list[Matcher] = []

    def noting(matcher: Matcher, draft: list[int]) -> Filled:
        alone.append(matcher)
        return fill(matcher, draft)

    monkeypatch.setattr(llguidance_masks, "fill", noting)
    monkeypatch.setattr(llguidance_masks, "MASK_SHARE", -1)
    assert same(at_once, matchers[0].fill_all(matchers, drafts))
    assert matchers == alone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_a_child_fills_masks_on_threads_of_its_own() -> None:
    matchers, drafts = many(Guard.json_schema(SCHEMA, BYTES), 5)
    expected = matchers[0].fill_all(matchers, drafts)
    assert 7 == child_ends_with(lambda: 7 if same(expected, matchers[0].fill_all(matchers, drafts)) else 1)
