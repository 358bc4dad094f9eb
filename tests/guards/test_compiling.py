"""Grammars are compiled once for each content, vocabulary and backend."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary, compiling
from ngramspec.guards.source import Source
from tests.guards.vocabularies import BYTES, words

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def compiled_patterns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been compiled, by the real compilers, with nothing kept from before."""
    found: list[str] = []
    monkeypatch.setattr(compiling, "_slots", type(compiling._slots)())

    def counted(compile_source: Any) -> Any:
        def count(source: Source, vocabulary: Vocabulary) -> Any:
            found.append(source.text)
            return compile_source(source, vocabulary)

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
    assert 6 == len(compiled_patterns)


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


def test_what_cannot_be_compiled_is_asked_for_again(compiled_patterns: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(GuardError, match="llguidance must be able to compile the regex, got"):
            Guard.regex("(", BYTES)
    assert ["(", "("] == compiled_patterns


def test_a_backend_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="backend must be one of llguidance, xgrammar, got 'outlines'"):
        Guard.regex("a", BYTES, backend="outlines")  # type: ignore[arg-type]


def test_a_guard_is_its_own_copy_and_is_not_pickled() -> None:
    guard = Guard.regex("a", BYTES)
    assert guard is copy.deepcopy(guard)
    with pytest.raises(TypeError, match=r"a guard must be made in the process that uses it, got Guard.regex\('a'\)"):
        pickle.dumps(guard)
