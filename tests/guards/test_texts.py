"""What is text and what is not: characters in pieces, escapes, whitespace, halves of surrogate pairs."""

from collections.abc import Callable

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.source import Backend
from tests.guards.test_ends import mask
from tests.guards.vocabularies import BYTES, ids, words

backends = pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
STRING = {"type": "string"}
OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@backends
def test_a_character_may_come_in_pieces_and_in_no_other_order(backend: Backend) -> None:
    vocabulary = words("é€", "€")
    (both, euro) = ids(vocabulary, "é€", "€")
    matcher = Guard.regex("é€", vocabulary, backend=backend).matcher()
    first, second = "é".encode()
    with matcher.lookahead() as lookahead:
        assert lookahead.push(both)
    matcher.advance([first])
    assert {second} == mask(matcher)
    matcher.advance([second])
    assert euro in mask(matcher)
    matcher.advance([*"€".encode(), *ids(vocabulary, "</s>")])


@backends
def test_half_a_character_is_not_the_end_of_a_string(backend: Backend) -> None:
    matcher = Guard.json_schema(STRING, BYTES, backend=backend).matcher()
    matcher.advance(b'"\xf0\x9f')
    assert ord('"') not in mask(matcher)
    assert set(range(0x80, 0xC0)) == mask(matcher)


@backends
def test_strings_hold_any_character_but_control_characters_and_bare_quotes(backend: Backend) -> None:
    guard = Guard.json_schema(STRING, BYTES, backend=backend)
    assert all(guard.accepts(f'"{text}"') for text in ("", "é", "😀", "\u2028", r"\n", r"\"", r"\\", "ﬁ", "e\u0301"))
    assert not any(guard.accepts(f'"{text}"') for text in ("\n", "\t", "\x00", "\x1f", '"', "\\", r"\x", r"\u12"))


def test_llguidance_writes_characters_as_they_are_and_xgrammar_escaped_as_well() -> None:
    for text in (r'"\u00e9"', r'"\/"', r'"\ud83d\ude00"'):
        assert not Guard.json_schema(STRING, BYTES).accepts(text)
        assert Guard.json_schema(STRING, BYTES, backend="xgrammar").accepts(text)


@backends
def test_half_a_surrogate_pair_is_no_text(backend: Backend) -> None:
    assert not Guard.json_schema(STRING, BYTES, backend=backend).accepts('"\ud800"')
    makers: list[Callable[[str], Guard]] = [
        lambda text: Guard.choice([text], BYTES, backend=backend),
        lambda text: Guard.regex(text, BYTES, backend=backend),
        lambda text: Guard.json_schema({"const": text}, BYTES, backend=backend),
        lambda text: Guard.json_schema('{"const": "\\ud800"}', BYTES, backend=backend),
        lambda text: Guard.regex("a", BYTES, backend=backend).after(text),
        lambda text: Guard.regex("a", BYTES, backend=backend).between("<", text),
    ]
    for make in makers:
        with pytest.raises(GuardError, match="must be text, got half a surrogate pair"):
            make("\ud800")


def test_a_pair_that_is_written_in_two_escapes_is_one_character() -> None:
    assert Guard.json_schema('{"const": "\\ud83d\\ude00"}', BYTES).accepts('"😀"')


@backends
def test_whitespace_is_unbounded_by_default_and_compact_on_demand(backend: Backend) -> None:
    flexible = Guard.json_schema(OBJECT, BYTES, backend=backend)
    compact = Guard.json_schema(OBJECT, BYTES, backend=backend, whitespace="compact")
    assert all(
        flexible.accepts(text) for text in ('{"a":1}', '{ "a" : 1 }', "{" + " " * 600 + '"a":1}', '{\n\t"a":1\r\n}')
    )
    assert ['{"a":1}'] == [text for text in ('{"a":1}', '{"a": 1}', '{"a":1\n}') if compact.accepts(text)]
    assert not any(guard.accepts(text) for guard in (flexible, compact) for text in (' {"a":1}', '{"a":1} '))


@backends
def test_a_model_may_write_whitespace_for_ever(backend: Backend) -> None:
    """The price of JSON as it is; `whitespace="compact"` is the way out."""
    matcher = Guard.json_schema(OBJECT, BYTES, backend=backend).matcher()
    matcher.advance(b"{" + b" \n" * 500)
    assert {ord(" "), ord("\n"), ord('"')} <= mask(matcher)


@backends
def test_choices_are_literal_whatever_characters_they_hold(backend: Backend) -> None:
    texts = ["a.b", "(x)", "[1-2]", "{3}", "^$", "a|b", "\\d", "é*", "/", "-", '"', "&&", "~", "#"]
    guard = Guard.choice(texts, BYTES, backend=backend)
    assert all(guard.accepts(text) for text in texts)
    assert not any(guard.accepts(text) for text in ("axb", "x", "1", "a", "1d", "", "éé"))


@backends
def test_tokens_of_the_same_bytes_are_both_allowed(backend: Backend) -> None:
    vocabulary = words("ab", "ab")
    (second,) = ids(vocabulary, "ab")
    matcher = Guard.regex("abab", vocabulary, backend=backend).matcher()
    with matcher.lookahead() as lookahead:
        assert lookahead.push(second)
        assert lookahead.push(second - 1)
        assert lookahead.push(ids(vocabulary, "</s>")[0])


@backends
def test_tokens_without_bytes_are_never_allowed(backend: Backend, capfd: pytest.CaptureFixture[str]) -> None:
    matcher = Guard.regex("a*", Vocabulary([b"a", b"", b"b"]), backend=backend).matcher()
    assert {0} == mask(matcher)
    with matcher.lookahead() as lookahead:
        assert not lookahead.push(1)
    assert "" == capfd.readouterr().err


def test_a_text_that_the_vocabulary_cannot_go_on_with_allows_nothing() -> None:
    """No end, no token: what decodes says so and stops, for there is nothing that could be chosen."""
    matcher = Guard.regex("ab", Vocabulary([b"a", b"</s>"], eos_tokens=[1])).matcher()
    matcher.advance([0])
    assert set() == mask(matcher)
    assert not matcher.accepting()


def test_forced_text_is_cut_as_the_tokenizer_cuts_it_and_pushed_however_it_comes() -> None:
    vocabulary = words("ab", "abc")
    (ab, abc) = ids(vocabulary, "ab", "abc")
    matcher = Guard.regex("abcd", vocabulary).matcher()
    assert {abc} == mask(matcher)
    with matcher.lookahead() as lookahead:
        assert lookahead.push(ab)
        assert b"cd" == lookahead.forced()
        assert not lookahead.allowed(ab)
