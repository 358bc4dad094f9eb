"""Grammars are compiled once for each content, vocabulary and backend."""

import copy
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Limits, Vocabulary, compiling
from ngramspec.guards.source import Source
from tests.guards.vocabularies import BYTES, words

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def compiled_patterns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been compiled, by the real compilers, with nothing kept from before."""
    found: list[str] = []
    monkeypatch.setattr(compiling, "_cache", compiling.GrammarCache())

    def counted(compile_source: Any) -> Any:
        def count(source: Source, vocabulary: Vocabulary, limits: Limits) -> Any:
            found.append(source.text)
            return compile_source(source, vocabulary, limits)

        return count

    made = {name: counted(compile_source) for name, compile_source in compiling._COMPILERS.items()}
    monkeypatch.setattr(compiling, "_COMPILERS", made)
    return found


def test_equal_guards_are_compiled_once(compiled_patterns: list[str]) -> None:
    same = Vocabulary(BYTES.tokens, special=BYTES.special, eos_tokens=BYTES.eos_tokens)
    first, second = Guard.regex("abc", BYTES), Guard.regex("abc", same)
    assert ["abc"] == compiled_patterns
    assert first._compiled is second._compiled


def test_another_content_vocabulary_or_backend_is_compiled_anew(compiled_patterns: list[str]) -> None:
    Guard.regex("abc", BYTES)
    Guard.regex("abcd", BYTES)
    Guard.regex("abc", words("ab"))
    Guard.regex("abc", BYTES, backend="xgrammar")
    Guard.json_schema(SCHEMA, BYTES)
    Guard.json_schema(SCHEMA, BYTES, whitespace="compact")
    Guard.regex("abc", BYTES, limits=Limits(max_row_items=1000))
    assert 7 == len(compiled_patterns)


def test_a_guard_compiled_under_one_salt_is_not_found_under_another(compiled_patterns: list[str]) -> None:
    made = [Guard.regex("abc", BYTES, cache_salt=salt)._compiled for salt in ("", "a", "b", "a")]
    assert ["abc"] * 3 == compiled_patterns
    assert made[1] is made[3]
    with pytest.raises(TypeError, match="cache_salt must be a str, got 7"):
        Guard.regex("abc", BYTES, cache_salt=7)  # type: ignore[arg-type]


def test_many_threads_that_ask_together_compile_once(compiled_patterns: list[str]) -> None:
    with ThreadPoolExecutor(16) as threads:
        guards = list(threads.map(lambda _: Guard.regex("[a-z]{1,40}", BYTES), range(64)))
    assert ["[a-z]{1,40}"] == compiled_patterns
    assert 1 == len({id(guard._compiled) for guard in guards})


def test_the_guard_unused_for_longest_makes_room(compiled_patterns: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MAX_KEPT", 2)
    for pattern in ("a", "b", "a", "c", "a", "b"):
        assert Guard.regex(pattern, BYTES).accepts(pattern)
    assert ["a", "b", "c", "b"] == compiled_patterns


def test_a_source_that_cannot_be_compiled_is_tried_again(compiled_patterns: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(GuardError, match="llguidance must be able to compile the regex, got"):
            Guard.regex("(", BYTES)
    assert ["(", "("] == compiled_patterns


def test_what_was_refused_is_kept_nowhere(compiled_patterns: list[str]) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index in range(20):
            with pytest.raises(GuardError):
                Guard.regex(f"{index}\\" + "y" * 400_000 + "\\", BYTES)
            with pytest.raises(GuardError):
                Guard.regex(f"{index}" + "y" * 10_000_000, BYTES)
        compiled_patterns.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000_000


def test_guards_are_kept_up_to_a_number_of_bytes(compiled_patterns: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MAX_KEPT_BYTES", 400_000)
    for letter in ("a", "b", "c", "d", "a"):
        assert Guard.regex(letter * 10_000, BYTES).accepts(letter * 10_000)
    assert ["a", "b", "c", "d", "a"] == [pattern[0] for pattern in compiled_patterns]
    assert 0 < compiling._cache._num_bytes <= compiling.MAX_KEPT_BYTES


def test_threads_that_wait_for_a_refused_source_get_the_same_error(compiled_patterns: list[str]) -> None:
    def refused(_: int) -> str:
        with pytest.raises(GuardError) as raised:
            Guard.regex("(" * 3000, BYTES)
        return str(raised.value)

    with ThreadPoolExecutor(8) as threads:
        assert 1 == len(set(threads.map(refused, range(8))))


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="backend must be one of llguidance, xgrammar, got 'outlines'"):
        Guard.regex("a", BYTES, backend="outlines")  # type: ignore[arg-type]


def test_a_guard_is_its_own_copy_and_is_not_pickled() -> None:
    guard = Guard.regex("a", BYTES)
    assert guard is copy.deepcopy(guard)
    with pytest.raises(TypeError, match=r"a guard must be made in the process that uses it, got Guard.regex\('a'\)"):
        pickle.dumps(guard)
