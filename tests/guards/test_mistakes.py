"""Mistakes of users: each has an error that names the rule, the value and the remedy."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from transformers import AutoTokenizer

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard, Vocabulary
from tests.guards.test_failures import few_items
from tests.guards.vocabularies import BYTES
from tests.hf.tokenizers import character_tokenizer

MAKES: Any = Guard
GUARD: Any = Guard.regex("a", BYTES)  # a user's, whose types nobody checks
MAKES_INT: Any = 0
MAKES_TEXTS: Any = ["a"]


class Uncallable(BaseModel):
    call: Callable[[], int]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAKES.regex(re.compile("a"), BYTES), "a regex must be a text, got .*pattern has one, .pattern"),
        (lambda: MAKES.regex(b"a", BYTES), "a regex must be a text"),
        (lambda: MAKES.choice(5, BYTES), "a choice must be a list of at least one text, got 5"),
        (lambda: MAKES.choice([], BYTES), "a choice must be a list of at least one text"),
        (lambda: MAKES.choice(["a", 1], BYTES), "a choice must be a list of at least one text"),
        (lambda: MAKES.choice("ab", BYTES), r"a choice must be a list of at least one text, got 'ab': write \['ab'\]"),
        (lambda: MAKES.choice(BYTES, ["a"]), "a choice must be a list .*: the tokenizer comes second"),
        (lambda: MAKES.regex(BYTES, "a"), "a regex must be a text, .*: the tokenizer comes second"),
        (lambda: MAKES.grammar(BYTES, "a"), "a grammar must be a text, .*: the tokenizer comes second"),
        (lambda: MAKES.grammar("sql-select", BYTES), r"a grammar must have rules, .*: call Guard.load\('sql-select'\)"),
        (lambda: MAKES.grammar("[a-z]+", BYTES), "a grammar must have rules, .*: call Guard.regex with a regex"),
        (lambda: MAKES.grammar("", BYTES), "a grammar must have rules, in Lark or GBNF, got ''"),
        (lambda: MAKES.grammar('{"type": "string"}', BYTES), "a grammar must have rules, .*: call Guard.json_schema"),
        (
            lambda: MAKES.load("grammars/csv.lark", BYTES),
            r"given by name, got 'grammars/csv.lark': call Guard.grammar_file",
        ),
        (lambda: GUARD.matcher("</s>"), "eos_token_id must be a token id or a list of them, got '</s>'"),
        (lambda: GUARD.accepts(b"a"), "a text must be a str, got b'a': decode tokens or bytes first"),
        (lambda: GUARD.legal_head([97]), r"a text must be a str, got \[97\]"),
        (lambda: MAKES.load(["json"], BYTES), "a grammar to load must be one of"),
        (lambda: MAKES.json_schema(Uncallable, BYTES), "a type must have a JSON schema"),
        (lambda: MAKES.json_schema(BaseModel, BYTES), "a type must have a JSON schema"),
        (lambda: GUARD.processor("</s>"), "eos_token_id must be a token id or a list of them, got '</s>'"),
        (lambda: GUARD.processor(1.5), "eos_token_id must be a token id or a list of them, got 1.5"),
        (lambda: MAKES.grammar("a.lark", BYTES), "a grammar must have rules, .*: call Guard.grammar_file with a path"),
    ],
)
def test_a_mistake_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(GuardError, match=message):
        make()


@pytest.mark.parametrize("guards", [GUARD, None, 5])
def test_guards_per_row_come_in_a_list(guards: Any) -> None:
    with pytest.raises(TypeError, match="rows must each have a Guard or None"):
        Guard.per_row(guards)


@pytest.mark.parametrize(
    ("whitespace", "meant"), [("Compact", ": did you mean 'compact'"), ("space", "'spaced'"), (None, "")]
)
def test_whitespace_is_one_of_three(whitespace: Any, meant: str) -> None:
    with pytest.raises(ValueError, match=f"whitespace must be one of flexible, spaced, compact, got .*{meant}"):
        Guard.json_schema({}, BYTES, whitespace=whitespace)


def test_a_backend_is_one_of_two() -> None:
    with pytest.raises(ValueError, match=r"backend must be one of .*, got 'guidance': did you mean 'llguidance'"):
        MAKES.json_schema({}, BYTES, backend="guidance")


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (r"x\bfoo", r"a word boundary, \b at position 1 of .* write the characters that may come there"),
        (r"a(?=b)b", r"a lookahead, (?= at position 1"),
        (r"[(?=]a(?!b)c", r"a negative lookahead, (?! at position 6"),
        (r"(?<=a)b", r"a lookbehind, (?<= at position 0"),
        (r"\\\(a(?<!b)c", r"a negative lookbehind, (?<! at position 5"),
        (r"(a|b)\1", r"a back-reference, \1 at position 5 of .* write out the possible texts"),
        (r"(?P<x>a)(?P=x)", r"a back-reference, (?P=x) at position 8"),
        (r"a$b", r"an anchor inside, $ at position 1 of .* leave it out"),
        (r"\Aab\Z", r"an anchor inside, \A at position 0"),
        (r"(?>a)b", r"an atomic group, (?> at position 0 of .* write (?:…)"),
        (r"(a)?(?(1)b|c)", r"a condition, (?( at position 4"),
        (r"a(?#note)b", r"a comment, (?# at position 1"),
    ],
)
def test_a_construct_that_no_backend_has_is_named_with_its_position_and_a_way_out(pattern: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=".*".join(map(re.escape, named.split(".*")))):
        Guard.regex(pattern, BYTES)


def test_what_an_escape_or_a_class_holds_is_no_construct() -> None:
    guard = Guard.regex(r"[(?=$^]\\b\(\?=a|^b$", BYTES)
    assert [True, True, False] == [guard.accepts(text) for text in ("=\\b(?=a", "b", "^b$")]


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
@pytest.mark.parametrize("pattern", ["ab\\", "\\", "a\\\\\\"])
def test_a_backslash_at_the_end_is_refused(pattern: str, backend: Any) -> None:
    with pytest.raises(GuardError, match="a backslash must escape something, got one at the end of"):
        Guard.regex(pattern, BYTES, backend=backend)
    assert Guard.regex(pattern + "\\", BYTES, backend=backend).accepts((pattern + "\\").replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("tokenizer", "way_out"),
    [
        ("org/model", r"pass AutoTokenizer.from_pretrained('org/model')"),
        (Path("folder"), r"pass AutoTokenizer.from_pretrained('folder')"),
        (AutoTokenizer, r"the class AutoTokenizer .* pass what AutoTokenizer.from_pretrained(…) returns"),
        (None, "pass the model's tokenizer"),
        (character_tokenizer("ab").backend_tokenizer, "pass transformers' PreTrainedTokenizerFast(tokenizer_object=…)"),
        (["a"], "pass Vocabulary(tokens)"),
    ],
)
def test_what_is_no_tokenizer_is_named(tokenizer: Any, way_out: str) -> None:
    with pytest.raises(TypeError, match=".*".join(map(re.escape, way_out.split(" .* ")))):
        Guard.regex("a", tokenizer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAKES("a", BYTES), "a guard is made by Guard.json_schema, .*, got 'a'"),
        (lambda: len(GUARD), r"logits_processor must be a list, got Guard.regex\('a'\): write \[guard\]"),
        (lambda: Vocabulary([b"a"], eos_tokens=MAKES_INT), "eos_tokens must be token ids, in a list, got 0"),
        (lambda: Vocabulary([b"a"], special=MAKES_TEXTS), r"special must be token ids, in a list, got \['a'\]"),
    ],
)
def test_what_is_no_argument_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()
    assert GUARD


def test_choices_may_come_from_anywhere() -> None:
    for texts in ((text for text in ["yes", "no"]), {"yes": 1, "no": 2}, np.array(["yes", "no"])):
        guard = MAKES.choice(texts, BYTES)
        assert [True, True, False] == [guard.accepts(text) for text in ("yes", "no", "")]


def test_end_ids_may_be_any_kind_of_number() -> None:
    assert [2] == GUARD.processor(np.int64(2)).eos_tokens
    assert [2, 3] == GUARD.processor(np.array([2, 3])).eos_tokens


def test_a_grammar_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.lark"
    path.write_bytes('start: "é"'.encode("latin-1"))
    with pytest.raises(GuardError, match=r"a grammar's file must be text in UTF-8, got .*latin.lark"):
        Guard.grammar_file(path, BYTES)


def test_a_backend_that_cannot_say_whether_a_text_is_whole_is_an_error_of_ours() -> None:
    guard = Guard(few_items(), "ambiguous")
    for ask in (guard.accepts, guard.legal_head):
        with pytest.raises(GuardError, match="must say what is allowed next"):
            ask("a" * 30)


def test_a_copy_is_the_guard_itself() -> None:
    assert GUARD is copy.copy(GUARD)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "multipleOf": 100_000_007},
        {"type": "integer", "allOf": [{"multipleOf": 997}, {"multipleOf": 1009}]},
        {"$ref": "#/$defs/one", "multipleOf": 997, "$defs": {"one": {"multipleOf": 1009}}},
    ],
)
def test_multiples_of_too_many_remainders_are_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"'(multipleOf|allOf)' at .*the remainders of [0-9]+ are too many"):
        Guard.json_schema(schema, BYTES)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (7, "21"),
        (0.01, "0.03"),
        (3_600, "10800"),
        (3_600_000, "10800000"),
        (10**9, "3000000000"),
        (1000, "3000"),
        (2.5, "7.5"),
    ],
)
def test_multiples_of_few_remainders_are_counted(step: float, text: str) -> None:
    guard = Guard.json_schema({"type": "number", "multipleOf": step}, BYTES)
    assert guard.accepts(text)
    assert not guard.accepts(f"{text[:-1]}1.003")


def conditions(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"minimum": 3}
    for level in range(depth):
        schema = {"if": schema, "then": {"maximum": level}, "else": {"properties": {"y": schema}}}
    return schema


def test_conditions_inside_of_conditions_hold() -> None:
    schema = conditions(9)
    valid, guard = Draft202012Validator(schema), Guard.json_schema(schema, BYTES)
    instances = [*range(12), "x", {"y": 1}, {"y": 5}, {"y": {"y": 4}}]
    assert [valid.is_valid(instance) for instance in instances] == [
        guard.accepts(json.dumps(instance)) for instance in instances
    ]


def test_a_guard_is_not_shared_with_a_tokenizer_that_cuts_texts_otherwise() -> None:
    tokens = [bytes([byte]) for byte in range(256)] + [b"ab", b"<end>"]

    def pairs(text: str) -> list[int]:
        return [256 if piece == "ab" else ord(piece) for piece in re.findall("ab|.", text, re.DOTALL)]

    short = Vocabulary(tokens, eos_tokens=[257], encode=pairs)
    long = Vocabulary(tokens, eos_tokens=[257], encode=lambda text: list(text.encode()))
    assert short.fingerprint == long.fingerprint
    masks = []
    for vocabulary in (short, long):
        out = np.zeros((1, 9), np.int32)
        Guard.choice(["abba"], vocabulary).matcher().fill([], out)
        masks.append(out.tolist())
    assert masks[0] != masks[1]
