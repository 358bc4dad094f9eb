"""Parts of a grammar that would bypass the checks of `Guard.json_schema` and `Guard.regex`."""

import re

import pytest

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, ids, words

OBJECT = '{"type": "object", "properties": {"a": {"type": "string"}}}'


def in_lark(schema: str) -> Guard:
    return Guard.grammar(f"start: j\nj: %json {schema}\n", BYTES)


@pytest.mark.parametrize(
    ("schema", "texts"),
    [
        (OBJECT, [r'{"\u0061":1}', '{"a":1}', '{"a":"x"}', '{ "b" : 1 }', "{}", "[]"]),
        ('{"type": "string", "pattern": "^[^\\"]$"}', [r'"\""', '"a"', '"ab"']),
        ('{"minimum": 3}', ["2", "3", '"a"']),
        ("true", ["1", "{}", "]"]),
    ],
)
def test_a_schema_inside_of_a_grammar_means_what_it_does_alone(schema: str, texts: list[str]) -> None:
    alone = Guard.json_schema(schema, BYTES)
    assert [alone.accepts(text) for text in texts] == [in_lark(schema).accepts(text) for text in texts]


def test_several_schemas_stand_among_other_text() -> None:
    text = 'start: "<" a ">" b\n# %json {\na: %json {"type": "integer"}\nb: "%json" | %json {\n "const": 7\n}\n'
    guard = Guard.grammar(text, BYTES)
    verdicts = {text: guard.accepts(text) for text in ("<1>7", "<1>%json", "<x>7", "<1>8")}
    assert {"<1>7": True, "<1>%json": True, "<x>7": False, "<1>8": False} == verdicts


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"uniqueItems": true, "items": {"type": "integer"}}', "%json in line 2 of the grammar: .*'uniqueItems'"),
        ('{"type": "integer", "multipleOf": 9999991}', "%json in line 2 of the grammar: .*multipleOf"),
        ('{"type": ', "%json must have JSON after it, got line 2: "),
        ('{"type": "nope"}', "%json in line 2 of the grammar: "),
    ],
)
def test_a_schema_that_is_refused_alone_is_refused_inside_of_a_grammar(schema: str, message: str) -> None:
    with pytest.raises(GuardError, match=message):
        in_lark(schema)


@pytest.mark.parametrize(
    ("text", "backend", "message"),
    [
        ('start: t "b"\nt[stop="x"]: /a+/\n', "llguidance", "got stop= in line 2, .*: write suffix=… or lazy"),
        ('start: t "b"\nt[stop="x"]: /a+/\n', "xgrammar", "got stop= in line 2"),
        (
            'start: t "b"\nt[temperature=0.5]: /a+/\n',
            "llguidance",
            "got temperature= in line 2, .*: pass it to gen",
        ),
        (
            'start: t "b"\nt[max_tokens=2]: /a+/\n',
            "xgrammar",
            "got max_tokens= in line 2, and xgrammar counts no",
        ),
        (f"start: j\nj: %json {OBJECT}", "xgrammar", "got %json in line 2, .*: call Guard.json_schema"),
        ('start: "a" <[97]>', "xgrammar", r"got <\[97\]> in line 1"),
        ("start: T\nT: /a\\b/", "xgrammar", r"a regex in line 2 of the grammar: .*word boundary"),
        ("root ::= Token(97)", "xgrammar", r"got Token\(…\) in line 1"),
        ('root ::= r\nr ::= TagDispatch(("<a>", r))', "xgrammar", r"got TagDispatch\(…\) in line 2"),
        (r'root ::= Regex("a\b")', "xgrammar", r"got Regex\(…\) in line 1"),
    ],
)
def test_what_a_backend_would_not_enforce_is_refused_by_name(text: str, backend: Backend, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Guard.grammar(text, BYTES, backend=backend)


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_words_that_are_no_settings_are_left_alone(backend: Backend) -> None:
    text = 'start: stop ("temperature=" | T)\nstop: "stop=" // max_tokens=7\nT: /stop=|<[97]>/\n'
    guard = Guard.grammar(text, BYTES, backend=backend)
    assert [True, True, False] == [guard.accepts(text) for text in ("stop=temperature=", "stop=stop=", "stop=")]
    gbnf = 'root ::= Item ("Token(" | [(])\nItem ::= "a" # Token(1)\n'
    assert Guard.grammar(gbnf, BYTES, backend=backend).accepts("aToken(")


def test_what_the_backends_can_read_is_still_read() -> None:
    for text, valid, invalid in (
        ('start: T\nT: %regex {"substring_chars": "abc"}', "ab", "ac"),
        ("start: INT\n%import common.INT", "12", "a"),
        ('start: t "b"\nt[suffix="x"]: /a+/', "aaxb", "aab"),
        ('start: t "b"\nt[lazy]: /a+x/', "aaxb", "aab"),
        ('start: t "b"\nt[max_tokens=2]: /a+/', "aab", "aaab"),
        ('%llguidance {"no_forcing": true}\nstart: "ab"', "ab", "a"),
    ):
        guard = Guard.grammar(text, BYTES)
        assert (True, False) == (guard.accepts(valid), guard.accepts(invalid)), text


def test_a_token_by_its_number_is_one_of_the_vocabularys_and_an_end_of_sequence_never_comes() -> None:
    vocabulary = words("ab", special=("<|sep|>",))
    (pair, separator) = ids(vocabulary, "ab", "<|sep|>")
    matcher = Guard.grammar(f'start: "x" <[{pair}]> <|sep|> <[*]>', vocabulary).matcher()
    matcher.advance([ord("x"), pair, separator])
    (_, (allowed,)) = rows(matcher, [])
    assert set(range(len(vocabulary))) - set(vocabulary.eos_tokens) == allowed
    with pytest.raises(GuardError, match="Token range end too large"):
        Guard.grammar("start: <[99999]>", vocabulary)
    with pytest.raises(GuardError, match=re.escape('unknown special token: "<|nope|>"')):
        Guard.grammar("start: <|nope|>", vocabulary)
    ends = Guard.grammar('start: "a" </s>', vocabulary).matcher()
    ends.advance(b"a")
    assert (0, [set()]) == rows(ends, [])


def test_a_list_of_grammars_is_no_grammar() -> None:
    with pytest.raises(GuardError, match=r"a grammar must have rules, .*: call Guard.json_schema"):
        Guard.grammar('{"grammars": [{"json_schema": {"uniqueItems": true}}]}', BYTES)


@pytest.mark.parametrize(
    "text",
    [
        'root ::= Regex # x\n ("a+")\n',
        "root ::= Token # c\n\n (65)\n",
        'root ::= "a" (= "b")\n',
        'root ::= "a" ( # x\n ! "b")\n',
    ],
)
def test_what_xgrammar_has_beyond_grammars_is_refused_whatever_stands_between(text: str) -> None:
    with pytest.raises(UnsupportedError, match=r"got .* in line 1, and .*: write rules of texts, sets and names"):
        Guard.grammar(text, BYTES, backend="xgrammar")


def test_signs_inside_of_texts_and_sets_are_no_looking_ahead() -> None:
    guard = Guard.grammar('root ::= [(=]+ "(=" # (= x\n', BYTES, backend="xgrammar")
    assert guard.accepts("(=((=")
