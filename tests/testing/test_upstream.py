"""The claims of docs/upstream.md about the backends still hold. If a test fails, upstream has fixed the defect: remove
its line from the page, and the rule from `testing/fuzzing/known.py`, or the code that kept it from users.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
import xgrammar
from llguidance import LLMatcher
from llguidance.gbnf_to_lark import gbnf_to_lark
from outlines_core import Index
from outlines_core import Vocabulary as OutlinesVocabulary

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.backends.llguidance import tokenizer_of
from ngramspec.guards.schemas.terminals import numbers
from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint, ConstraintKind
from ngramspec.testing.fuzzing.known import KNOWN, known_difference

BYTES = [bytes([byte]) for byte in range(256)]
ALL_BYTES = Vocabulary([*BYTES, b"<end>"], eos_tokens=[256])
Accepts = Callable[[str, str], bool]


@functools.cache
def compiler() -> Any:
    info = xgrammar.TokenizerInfo(BYTES, xgrammar.VocabType.RAW, stop_token_ids=[])
    return xgrammar.GrammarCompiler(info, cache_enabled=False)


def xgrammar_accepts(schema: str, text: str) -> bool:
    return _followed(compiler().compile_json_schema(schema, strict_mode=False), text)


def xgrammar_matches(pattern: str, text: str) -> bool:
    return _followed(compiler().compile_regex(pattern), text)


def _followed(grammar: Any, text: str) -> bool:
    matcher = xgrammar.GrammarMatcher(grammar)
    return all(matcher.accept_string(bytes([byte])) for byte in text.encode()) and bool(matcher.is_completed())


def llguidance_accepts(schema: str, text: str) -> bool:
    return _consumed(LLMatcher.grammar_from_json_schema(schema), text)


def llguidance_matches(pattern: str, text: str) -> bool:
    return _consumed(LLMatcher.grammar_from_regex(pattern), text)


def _consumed(grammar: str, text: str) -> bool:
    matcher = LLMatcher(tokenizer_of(ALL_BYTES), grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    tokens = list(text.encode())
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


BOUNDED = '{"type":"string","maxLength":4}'
CLOSED = '{"type":"object","properties":{"a":{},"b":{}},"additionalProperties":false}'
NAMED = '{"properties":{"a":{"type":"number"}}}'

SCHEMAS = [
    ("xgrammar: strings of bounded length", xgrammar_accepts, BOUNDED, '"a\0"', True),
    ("xgrammar: strings of bounded length", xgrammar_accepts, BOUNDED, r'"\n"', False),
    ("xgrammar: strings of bounded length", xgrammar_accepts, BOUNDED, r'"\\"', False),
    ("xgrammar: names beyond plain ASCII", xgrammar_accepts, NAMED.replace('"a"', '"é"'), '{"é":"1"}', True),
    ("xgrammar: -0 is no integer", xgrammar_accepts, '{"type":"integer"}', "-0", False),
    ("llguidance: DEL in strings", llguidance_accepts, '{"type":"string"}', '"\x7f"', False),
    ("letters written as escapes", xgrammar_accepts, NAMED, r'{"\u0061":"1"}', True),
    ("letters written as escapes", llguidance_accepts, '{"type":"string"}', r'"\u0061"', False),
    ("letters written as escapes", xgrammar_accepts, '{"enum":["é"]}', r'"\u00e9"', False),
    ("whole numbers written as 1.0", llguidance_accepts, '{"type":"integer"}', "1.0", False),
    ("whole numbers written as 1.0", xgrammar_accepts, '{"type":"integer"}', "1.0", False),
    ("numbers with an exponent", llguidance_accepts, '{"type":"number","minimum":1}', "50e-1", False),
    ("numbers with an exponent", xgrammar_accepts, '{"type":"number","minimum":1}', "50e-1", False),
    ("xgrammar: many digits after a point", xgrammar_accepts, '{"type":"number","minimum":0.5}', "0.5000001", False),
    ("keys in another order", llguidance_accepts, '{"const":{"a":1,"b":2}}', '{"b":2,"a":1}', False),
    ("keys in another order", xgrammar_accepts, CLOSED, '{"b":2,"a":1}', False),
    ("spaces around a text", llguidance_accepts, '{"type":"integer"}', "1 ", False),
    ("spaces around a text", xgrammar_accepts, '{"type":"integer"}', " 1", False),
    ("a format is demanded", llguidance_accepts, '{"format":"date"}', '"x"', False),
]
"""A known difference, who shows it, a schema, a text, and whether it is accepted."""


MENDED = [
    (llguidance_accepts, NAMED, r'{"\u0061":"1"}', True),
    (llguidance_accepts, r'{"type":"string","pattern":"^[^\"]$"}', r'"\""', True),
    (xgrammar_accepts, '{"type":"string","pattern":"^c(da*)?$"}', '"ca"', True),
]
"""Who shows what guards keep from their users, a schema, a text, and whether it is accepted."""

REMARKS = [
    ("what a string contains is not looked at", llguidance_accepts, '{"contentEncoding":"base64"}', '"%"', True),
]
"""As above, but only the test suite of JSON Schema says otherwise: `jsonschema` too reads a remark."""

REGEXES = [
    (r"xgrammar: \d and \w are of ASCII", xgrammar_matches, r"\d", "\u0661", False),
    (r"xgrammar: \d and \w are of ASCII", xgrammar_matches, r"\w", "é", False),
    (r"\d and \w of letters beyond the common ones", llguidance_matches, r"\w", "\u05ad", True),
    (r"\d and \w of letters beyond the common ones", llguidance_matches, r"\w", "²", False),
]


@pytest.mark.parametrize(("name", "accepts", "source", "text", "accepted"), [*SCHEMAS, *REMARKS, *REGEXES])
def test_a_known_difference_is_there(name: str, accepts: Accepts, source: str, text: str, accepted: bool) -> None:
    assert accepted == accepts(source, text), f"upstream has mended {name!r}"
    assert name in [known.name for known in KNOWN]


@pytest.mark.parametrize(("name", "accepts", "schema", "text", "accepted"), SCHEMAS)
def test_jsonschema_says_otherwise(name: str, accepts: Accepts, schema: str, text: str, accepted: bool) -> None:
    def fits() -> bool:
        try:
            jsonschema.validate(json.loads(text), json.loads(schema))
        except ValueError:  # control characters are no JSON
            return False
        except jsonschema.ValidationError:
            return False
        return True

    assert fits() is not accepted


@pytest.mark.parametrize(("accepts", "source", "text", "accepted"), MENDED)
def test_guards_are_right_where_a_backend_is_not(accepts: Accepts, source: str, text: str, accepted: bool) -> None:
    assert accepted == accepts(source, text), "upstream has mended it"
    backend: Backend = "llguidance" if accepts is llguidance_accepts else "xgrammar"
    guard = Guard.json_schema(source, ALL_BYTES, backend=backend)
    assert guard.accepts(text) is not accepted


@pytest.mark.parametrize(("kind", "row"), [*(("schema", row) for row in SCHEMAS), *(("regex", row) for row in REGEXES)])
def test_a_difference_that_a_guard_shows_is_explained_by_its_own_rule(
    kind: ConstraintKind, row: tuple[str, Accepts, str, str, bool]
) -> None:
    name, accepts, source, text, _ = row
    backend: Backend = "llguidance" if accepts in (llguidance_accepts, llguidance_matches) else "xgrammar"
    constraint = Constraint(kind, source)
    guard = constraint.guard(ALL_BYTES, backend=backend)
    accepted, verdict = guard.accepts(text), constraint.verdict(text)
    explained = known_difference(constraint, guard, backend, text, is_accepted=accepted)
    assert accepted != verdict
    assert name == explained


GONE_ROUND: list[tuple[dict[str, Any], str, bool]] = [
    ({"exclusiveMinimum": 0, "maximum": 0.5}, "0", True),
    ({"minimum": -0.5, "exclusiveMaximum": 0}, "-0", True),
    ({"minimum": 0, "maximum": 99.99}, "99.9", False),
    ({"minimum": 0, "maximum": 3.14159}, "3.14", False),
    ({"exclusiveMinimum": 0}, "1e-5", False),
    ({"multipleOf": 0.25}, "0.5", False),
    ({"minimum": 2**53 + 1}, str(2**53), True),
]
"""Numbers of which llguidance says otherwise than the schema does: keywords, a numeral, and what it says."""

NAMES = {
    "minimum": "minimum", "maximum": "maximum", "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}  # fmt: skip


@pytest.mark.parametrize(("keywords", "numeral", "accepted"), GONE_ROUND)
def test_number_terminals_are_right_where_llguidance_is_not(
    keywords: dict[str, Any], numeral: str, accepted: bool
) -> None:
    schema = json.dumps({"type": "number", **keywords})
    assert accepted == llguidance_accepts(schema, numeral), "upstream has mended it"
    steps = [keywords["multipleOf"]] if "multipleOf" in keywords else []
    bounds = {NAMES[keyword]: bound for keyword, bound in keywords.items() if keyword in NAMES}
    terminal = numbers.terminal(**bounds, multiple_of=steps)
    assert terminal is not None
    assert accepted is not _consumed(LLMatcher.grammar_from_lark(f"start: A\nA: {terminal.text}\n"), numeral)


def test_llguidance_multiplies_intersections_out() -> None:
    patterns = [f"/(.*x{number}y.*)/" for number in range(14)]
    multiplied = LLMatcher.grammar_from_lark(f"start: A\nA: {' & '.join(patterns)}\n")
    assert LLMatcher(tokenizer_of(ALL_BYTES), multiplied, log_level=0).is_error(), "upstream has mended it"
    below = LLMatcher.grammar_from_lark(f"start: A\nA: ~({' | '.join(f'~{pattern}' for pattern in patterns)})\n")
    assert not LLMatcher(tokenizer_of(ALL_BYTES), below, log_level=0).is_error()


def test_xgrammar_takes_counts_modulo_2_to_the_32() -> None:
    assert xgrammar_matches("a{4294967297}", "a"), "upstream has mended it"


def test_xgrammar_rounds_bounds_of_numbers_beyond_2_to_the_53() -> None:
    assert xgrammar_accepts('{"type":"number","minimum":9007199254740993}', "9007199254740992"), (
        "upstream has mended it"
    )


def test_llguidance_finds_no_multiples_of_large_numbers() -> None:
    assert not llguidance_accepts('{"type":"integer","multipleOf":1000000000}', "0"), "upstream has mended it"
    assert llguidance_accepts('{"type":"integer","multipleOf":100000000}', "0")


def test_xgrammar_lets_the_dot_take_newlines_and_guards_do_not() -> None:
    assert xgrammar_matches("a.b", "a\nb"), "upstream has mended it"
    assert not Guard.regex("a.b", ALL_BYTES, backend="xgrammar").accepts("a\nb")


def test_xgrammar_skips_over_an_anchor_inside() -> None:
    assert xgrammar_matches("a$b", "ab")


def test_llguidance_makes_another_language_of_gbnf() -> None:
    grammar = 'root ::= w "c"\nw ::= [a-z]+'
    assert not _consumed(LLMatcher.grammar_from_lark(gbnf_to_lark(grammar)), "abc"), "upstream has mended it"
    assert Guard.grammar(grammar, ALL_BYTES).accepts("abc")


def test_xgrammar_takes_halves_of_surrogate_pairs() -> None:
    matcher = xgrammar.GrammarMatcher(compiler().compile_regex("."))
    assert all(matcher.accept_string(bytes([byte])) for byte in b"\xed\xb2\xa5"), "upstream has mended it"
    assert matcher.is_completed()
    with pytest.raises(UnicodeDecodeError):
        b"\xed\xb2\xa5".decode()


def test_llguidance_takes_no_half_of_a_surrogate_pair() -> None:
    matcher = LLMatcher(tokenizer_of(ALL_BYTES), LLMatcher.grammar_from_regex("."), log_level=0)
    assert 1 == matcher.try_consume_tokens([0xED, 0xB2, 0xA5])


def test_llguidance_panics_where_one_of_several_choices_has_a_needless_group() -> None:
    with pytest.raises(GuardError, match="panic") as caught:
        Guard.regex("bè|b(è)|c", ALL_BYTES)
    assert "\n" not in str(caught.value)
    assert Guard.regex("bè|bè|c", ALL_BYTES).accepts("bè")


def test_xgrammar_leaves_a_token_of_two_characters_out_of_its_mask_after_one_that_differs_inside_the_first() -> None:
    matcher = Guard.regex("éè", Vocabulary(["éè".encode(), "è".encode()]), backend="xgrammar").matcher()
    mask = np.empty((1, 1), np.int32)
    matcher.fill([], mask)
    assert not mask.any()
    with matcher.lookahead() as lookahead:
        assert lookahead.push(0)


def test_outlines_core_drops_tokens_that_leave_an_accepting_state() -> None:
    tokens = {token: [index] for index, token in enumerate([b"1", b".", b"5", b".5"])}
    index = Index(r"[0-9]+(\.[0-9]+)?", OutlinesVocabulary(9, tokens))
    state = index.get_next_state(index.get_initial_state(), 0)
    assert index.is_final_state(state)
    assert {0, 2, 3} == {0, 1, 2, 3} & index.get_transitions()[state].keys()  # and not 1, the dot


def test_every_known_difference_has_its_test() -> None:
    ours = {"keywords of another draft"}  # guards read them, whatever a backend does
    ours |= {"multiples of many digits"}  # which guards count
    ours |= {"xgrammar: halves of surrogate pairs"}  # these are bytes, and tested as such
    assert {known.name for known in KNOWN} == ours | {name for name, *_ in [*SCHEMAS, *REMARKS, *REGEXES]}


def test_jsonschema_divides_floats() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(0.075, {"multipleOf": 0.0001})
