"""Masks may exclude tokens, but no text: every text that the vocabulary can write can be reached under them."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings

from ngramspec.guards import Guard, Vocabulary
from tests.guards.languages import Between, Language, Text
from tests.guards.strategies import SINGLE_BYTES, chances, regular, vocabulary
from tests.guards.test_machine import rows

BYTES = [text[0] for text in SINGLE_BYTES]


def whole_texts(language: Language, text: Text = ()) -> Iterator[bytes]:
    """The texts of a finite language."""
    if language.whole(text):
        yield bytes(text)
    for byte in BYTES:
        if language.alive((*text, byte)):
            yield from whole_texts(language, (*text, byte))


def can_write(known: Vocabulary, text: bytes) -> bool:
    pieces = {piece for token, piece in enumerate(known.tokens) if piece and token not in known.special}
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            reached |= {start + len(piece) for piece in pieces if text.startswith(piece, start)}
    return len(text) in reached


def reached_texts(guard: Guard, prefix: list[int], end: int, last: bytes = b"") -> set[bytes]:
    """All that can be written by following the masks after `prefix` to `end`, an end of sequence.

    last: the end of the text that is searched for; nothing is searched after it.
    """
    found: set[bytes] = set()
    # What llguidance masks depends on the last token, too.
    seen: set[tuple[bytes, int]] = set()
    waiting = [list(prefix)]
    while waiting:
        tokens = waiting.pop()
        matcher = guard.matcher([end])
        matcher.advance(tokens)
        is_over = bool(last) and matcher.accepting()
        for token in rows(matcher, [])[1][0]:
            text = guard.vocabulary.decode([*tokens[len(prefix) :], token])
            if token == end:
                whole = guard.vocabulary.decode(tokens[len(prefix) :])
                found |= {whole} if whole.endswith(last) else set()
            elif (text, token) not in seen and guard.vocabulary.tokens[token] and not is_over:
                seen.add((text, token))
                waiting.append([*tokens, token])
    return found


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
@settings(max_examples=60, deadline=None)
@given(chance=chances)
def test_every_text_that_can_be_written_is_reached_by_the_masks(backend: str, chance: Random) -> None:
    language = regular(chance, 2, loops=False)
    known = vocabulary(chance)
    known = Vocabulary([*known.tokens, b"<end>"], special=[*known.special, len(known)])
    guard = Guard.regex(language.pattern, known, backend=backend)  # type: ignore[arg-type]
    expected = {text for text in whole_texts(language) if can_write(known, text)}
    assert expected == reached_texts(guard, [], len(known) - 1)


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
@settings(max_examples=40, deadline=None)
@given(chance=chances)
def test_every_text_between_markers_is_reached_by_the_masks(backend: str, chance: Random) -> None:
    language = regular(chance, 2, loops=False)
    known = vocabulary(chance)
    added = [b"{", b"<end>"]
    known = Vocabulary([*known.tokens, *added], special=[*known.special, len(known) + 1])
    guard = Guard.regex(language.pattern, known, backend=backend).between("{", ">>")  # type: ignore[arg-type]
    region = Between(b"{", b">>", language)
    # A guarded text that has `>>` in it ends there where it is whole, so the rest of it is free text.
    expected = {text + b">>" for text in whole_texts(language) if ends_only_at_its_end(region, text)}
    reached = reached_texts(guard, [len(known) - 2], len(known) - 1, b">>")
    assert {text for text in expected if can_write(known, text)} <= reached
    assert all(region.whole(tuple(b"{" + text)) for text in reached)


def ends_only_at_its_end(region: Between, text: bytes) -> bool:
    return not any(region.whole(tuple(b"{" + (text + b">>")[:stop])) for stop in range(len(text) + 2))
