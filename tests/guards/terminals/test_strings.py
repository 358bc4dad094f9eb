"""String terminals: a quoted text is matched if and only if it is as described; the oracles are `re` and `json`."""

import json
import re
import warnings
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ngramspec.guards.schemas.lark import leaves
from ngramspec.guards.schemas.lark.shapes import Test, Texts
from ngramspec.guards.schemas.terminals import InexpressibleError, strings
from tests.guards.terminals.ecma import Pattern, patterns, texts
from tests.guards.terminals.spelling import Matched, quoted


def finds(pattern: Pattern, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of [[ and && in a class, which are letters
        return re.search(pattern.python, text, re.ASCII) is not None


def terminal(**described: Any) -> Matched:
    """Of what can be said; the rest is another test's."""
    try:
        return Matched(strings.terminal(**described))
    except InexpressibleError:
        assume(False)
        raise


@settings(max_examples=200)
@given(patterns(), st.lists(texts, min_size=10, max_size=20))
def test_a_text_is_matched_if_and_only_if_the_pattern_finds_a_match_in_it(pattern: Pattern, found: list[str]) -> None:
    matched, others = terminal(patterns=[pattern.ecma]), terminal(not_patterns=[pattern.ecma])
    for text in found:
        expected = finds(pattern, text)
        assert (expected, not expected) == (quoted(text) in matched, quoted(text) in others)


@settings(max_examples=100)
@example([], [], 0, 0, [""], ["a"])
@given(
    st.lists(patterns(1), max_size=2), st.lists(patterns(1), max_size=2), st.integers(0, 3),
    st.none() | st.integers(0, 5), st.lists(texts, max_size=3), st.lists(texts, min_size=10, max_size=20),
)  # fmt: skip
def test_patterns_lengths_and_listed_texts_hold_together(
    found: list[Pattern],
    missing: list[Pattern],
    shortest: int,
    longest: int | None,
    left_out: list[str],
    tried: list[str],
) -> None:
    passed: frozenset[Test] = frozenset(("pattern", pattern.ecma) for pattern in found)
    failed: frozenset[Test] = frozenset(("pattern", pattern.ecma) for pattern in missing)
    shape = Texts(excluded=frozenset(left_out)).both(Texts(None, frozenset(), passed, failed, shortest, longest))
    try:
        matched = Matched(None if shape is None or leaves.is_empty(shape) else leaves.of_texts(shape))
    except InexpressibleError:
        assume(False)
        raise
    for text in (*tried, *left_out):
        expected = (
            all(finds(pattern, text) for pattern in found)
            and not any(finds(pattern, text) for pattern in missing)
            and shortest <= len(text) <= (len(text) if longest is None else longest)
            and text not in left_out
        )
        assert expected == (quoted(text) in matched)


ANY = st.characters(exclude_categories=["Cs"])


@given(st.text(ANY))
def test_each_text_has_one_spelling(text: str) -> None:
    assert quoted(text) in Matched(strings.terminal())
    assert quoted(text) in Matched(strings.literal(text))
    assert quoted(text) not in Matched(leaves.of_texts(Texts(excluded=frozenset([text]))))
    assert quoted(text) not in Matched(strings.terminal(not_patterns=["^[^]*$"]))


@pytest.mark.parametrize(
    "spelling",
    [
        r'"\u0061"', r'"\/"', r'"\u000A"', r'"\u000a"', r'"\u001B"', '"\x7f"', '"\n"', '"\\"', '"', "a", '""a',
        r'"\ud83d\ude00"', r'"\x41"', r'"\u00"',
    ],
)  # fmt: skip
def test_no_other_spelling_is_one_of_any_text_or_of_any_other(spelling: str) -> None:
    described: list[dict[str, Any]] = [
        {},
        {"not_patterns": ["^b$"]},
        {"max_length": 9},
        {"patterns": ["^[^]*$"]},
    ]
    assert [False] * 4 == [spelling in Matched(strings.terminal(**each)) for each in described]


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"'])
def test_a_complement_stays_inside_utf_8(raw: bytes) -> None:
    matched = Matched(strings.terminal(not_patterns=["^a"]))
    assert not matched.has(raw)


@given(st.text(ANY, max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_lengths_count_code_points(text: str, least: int, most: int) -> None:
    matched = Matched(strings.terminal(min_length=least, max_length=most))
    assert (least <= len(text) <= most) == (quoted(text) in matched)


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        (r"^(?!org\.bukkit\.)([a-zA-Z_$][a-zA-Z\d_$]*\.)*[a-zA-Z_$][a-zA-Z\d_$]*$", ["org.x.A", "a"], ["org.bukkit.A"]),
        (r"^([\da-z](?:(?!.*--)[\da-z-]*[\da-z])?)$", ["a", "a-b", "a-b-c"], ["a--b", "-a", "a-"]),
        (r"^@([\da-z](?:(?!.*--)[\da-z-]*[\da-z])?)/([\da-z](?:(?!.*--)[\da-z-]*[\da-z])?)$", ["@a/b-c"], ["@a--b/c"]),
        (r"^(?!.*(\{Trigger\}|[<>])).*\.[bB][lL][fF]$", ["a.blf", ".BLF"], ["{Trigger}.blf", "<.blf", "a.txt"]),
        (r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^A-Za-z0-9]).{8,}$", ["Passw0rd!"], ["password", "Passw0rd", "P0rd!"]),
        (r"^(?:(?!--).)*$", ["", "a-b", "-"], ["--", "a--b", "a\n"]),
        (r"^(?=.{1,5}$)(?:[a-z]+\.)*[a-z]+$", ["a.b.c", "abc"], ["abc.de", ""]),
        (r"\bcat\b", ["a cat.", "cat"], ["concat", "cats"]),
        (r"(?<!\\)\"", ['"', 'a"', '\\a"'], ['\\"', "a"]),
        (r"^foo(?=bar)", ["foobar"], ["foobaz", "xfoobar"]),
        (r"(?i)^get$", ["get", "GET", "gEt"], ["got"]),
        (r"^\u0000$", ["\0"], ["", "0"]),
        (r'^[^"]$', ["\0", "a", "\\"], ['"']),
        (r"^\p{L}+$", ["aé"], ["a1", ""]),
        (r"^\P{Lu}[^\p{Nd}\s]$", ['"a', "\n\\"], ["Aa", "a1"]),
    ],
)
def test_patterns_of_real_schemas(pattern: str, matched: list[str], others: list[str]) -> None:
    holds, fails = Matched(strings.terminal(patterns=[pattern])), Matched(strings.terminal(not_patterns=[pattern]))
    assert (matched, others) == (
        [text for text in matched if quoted(text) in holds and quoted(text) not in fails],
        [text for text in others if quoted(text) not in holds and quoted(text) in fails],
    )


@pytest.mark.parametrize(
    "described",
    [
        {"patterns": ["^a", "^b"]},
        {"patterns": ["^a$"], "not_patterns": ["^a"]},
        {"patterns": ["^a{3}$"], "max_length": 2},
        {"patterns": ["[]"]},
        {"not_patterns": [""]},
        {"min_length": 2, "max_length": 1},
        {"texts": []},
        {"formats": ["date"], "patterns": ["x"]},
        {"formats": ["date"], "not_patterns": ["^[0-9-]*$"]},
    ],
)
def test_where_no_text_is_left_there_is_no_terminal(described: dict[str, Any]) -> None:
    assert strings.terminal(**described) is None


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"patterns": [r"(a)\1"]}, r"the reference \\1 to a group"),
        ({"patterns": ["(?:(?=a)b)+c"]}, "assertions that are repeated"),
        ({"patterns": ["("]}, r"\( without \)"),
        ({"patterns": [")"]}, r"\) without \("),
        ({"patterns": ["a**"]}, r"\* with nothing to repeat"),
        ({"patterns": ["*a"]}, r"\* with nothing to repeat"),
        ({"patterns": ["a{2,1}"]}, "which ends before it begins"),
        ({"patterns": ["[b-a]"]}, "which ends before it begins"),
        ({"patterns": ["a\\"]}, "a backslash at the end"),
        ({"patterns": ["(" * 200 + "a" + ")" * 200]}, "more than 100 groups within one another"),
        ({"patterns": [r"\p{Klingon}"]}, "the property 'Klingon'"),
        ({"formats": ["regex"]}, "the format 'regex' is not a regular language"),
        ({"patterns": [rf"^(?:a{{{length}}})*$" for length in (2, 3, 5, 7, 11, 13)]}, "llguidance gives up on it"),
        (
            {"patterns": [r"^(?!.*://)(?=.{1,255}$)((.{1,63}\.){1,127}(?![0-9]*$)[a-z0-9-]+\.?)$"]},
            "llguidance gives up",
        ),
        ({"patterns": ["a.{200}b", "c.{200}d"]}, "a count of any characters after a part that may begin anywhere"),
        ({"patterns": [f"x{number}y" for number in range(22)]}, "more than 20 patterns"),
        ({"patterns": ["".join(f"(?=.*x{number}y)" for number in range(22))]}, "more than 20 patterns or lookaheads"),
    ],
)
def test_what_cannot_be_said_is_named(described: dict[str, Any], reason: str) -> None:
    with pytest.raises(InexpressibleError, match=reason):
        strings.terminal(**described)


def test_many_patterns_that_may_begin_anywhere_hold_together() -> None:
    found = [f"x{number}y" for number in range(20)]
    matched = Matched(strings.terminal(patterns=found))
    assert (True, False) == (quoted(" ".join(found)) in matched, quoted(" ".join(found[1:])) in matched)


@given(st.lists(texts, max_size=5), texts)
def test_listed_texts_are_the_only_ones(listed: list[str], text: str) -> None:
    matched = Matched(strings.terminal(texts=listed))
    assert [True] * len(listed) == [quoted(each) in matched for each in listed]
    assert (text in listed) == (quoted(text) in matched)


FORMATS = {
    "date": (["2024-02-29"], ["2023-02-29"]),
    "duration": (["P1Y2M3DT4H5M6S", "P1W", "PT1M"], ["P", "PT", "P1W1D", "P1Y1D"]),
    "email": (["jane@example.com", '"a b"@x.org', "a@[IPv6:::1]", "a@[127.0.0.1]"], ["jane", "a..b@x.org", "@x"]),
    "hostname": (["example.com", "a" * 63], ["-a", "a" * 64, ".".join(["a" * 49] * 6), ""]),
    "uri": (["https://a.b/c?d#e", "urn:x"], ["//a", "a b:c"]),
    "uuid": (["2EB8AA08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08aa9811eab4aa73b441d16380"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_and_their_complements(name: str) -> None:
    good, bad = FORMATS[name]
    holds, fails = Matched(strings.terminal(formats=[name])), Matched(strings.terminal(not_formats=[name]))
    assert (good, bad) == (
        [text for text in good if quoted(text) in holds and quoted(text) not in fails],
        [text for text in bad if quoted(text) not in holds and quoted(text) in fails],
    )


def test_a_spelling_is_what_json_reads() -> None:
    text = "".join(map(chr, range(0x100)))
    assert text == json.loads(quoted(text))
    assert quoted(text) in Matched(strings.literal(text))


@settings(max_examples=200)
@given(patterns(1), patterns(1), st.lists(texts, min_size=10, max_size=20))
def test_patterns_that_are_apart_have_no_text_in_common(one: Pattern, other: Pattern, tried: list[str]) -> None:
    try:
        apart = strings.are_disjoint(("pattern", one.ecma), ("pattern", other.ecma))
    except InexpressibleError:
        assume(False)
        raise
    if apart:
        assert not any(finds(one, text) and finds(other, text) for text in tried)
        assert strings.terminal(patterns=[one.ecma, other.ecma]) is None


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("^a", "^b", True), ("^x-", "^[a-w]", True), ("_id$", "_at$", True), ("^[a-z]+$", "^[0-9]", True),
        ("^ab?c", "^b", True),
        ("^(a|b)x", "^(c|d)x", True), ("^.a", "^.b", True), (".a$", "b$", True), ("^a{3}b", "^aaac", True),
        ("^a", "b$", False), ("^a", "^ab", False), ("a", "^b", False), ("^a?b", "^a", False), ("^(a|b)", "^b", False),
    ],
)  # fmt: skip
def test_letters_at_either_end_tell_patterns_apart(one: str, other: str, apart: bool) -> None:
    assert apart == strings.are_disjoint(("pattern", one), ("pattern", other))
