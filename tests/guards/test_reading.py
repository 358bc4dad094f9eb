"""Untrusted schemas are read, or refused by name with the location of the fault: never a raw exception."""

import json
import re
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import validators

from ngramspec.errors import GuardError
from ngramspec.guards.schemas import prepared, schema_text, typos
from ngramspec.guards.schemas.drafts import URIS, fault_in
from ngramspec.guards.schemas.node import Node, stepped
from ngramspec.guards.schemas.parsing import MAX_DEPTH, MAX_DIGITS, check, parsed
from ngramspec.guards.schemas.reading import read
from ngramspec.guards.schemas.reference_cycles import MAX_LINKS
from ngramspec.guards.schemas.wellformed import fault_in_pattern
from ngramspec.testing.hostile import malformed
from ngramspec.testing.strategies import regexes

SEEDS = st.integers(0, 2**48)
METASCHEMAS = {draft: validators.validator_for({"$schema": uri}) for draft, uri in URIS.items()}


@pytest.mark.parametrize("draft", URIS)
@given(seed=SEEDS)
@settings(max_examples=200)
def test_a_schema_is_valid_where_the_metaschema_of_its_draft_says_so(draft: int, seed: int) -> None:
    try:
        document = parsed(malformed(Random(seed)))
    except GuardError:
        return
    metaschema = METASCHEMAS[draft]
    assert metaschema(metaschema.META_SCHEMA).is_valid(document) == (fault_in(document, draft) is None), document


@given(seed=SEEDS, is_lenient=st.booleans())
@settings(max_examples=1000)
def test_a_malformed_schema_is_prepared_or_refused_by_name(seed: int, is_lenient: bool) -> None:
    with suppress(GuardError):
        text = schema_text(malformed(Random(seed)))
        typos(text)
        prepared(text, "xgrammar", is_lenient)  # reading and rewriting are ours; xgrammar itself is not asked


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": []}, "at /$ref: '$ref' must be a text, got []"),
        ({"prefixItems": 0}, "at /prefixItems: 'prefixItems' must be a list of at least one schema, got 0"),
        ({"dependentRequired": {"a": 1}}, "'dependentRequired' must be an object of lists of names, each once"),
        ({"$schema": URIS[7], "prefixItems": 0}, "at /prefixItems: 'prefixItems' must be"),
        ({"$schema": URIS[4], "$ref": []}, "at /$ref: '$ref' must be a text"),
        ({"$schema": URIS[4], "const": 1, "dependentSchemas": 3}, "at /dependentSchemas"),
        ({"$ref": "#/own", "own": {"minLength": "a"}}, "at /own/minLength: 'minLength' must be a whole number from 0"),
        ({"$ref": "#/title", "title": "a"}, "a schema must be an object, true or false, got 'a' at /title"),
        ({"$ref": "#/minimum/x", "minimum": 1}, "a reference must name a schema in its own document"),
        ({"$ref": "#/allOf/01", "allOf": [{}]}, "a reference must name a schema in its own document"),
        (
            {"$id": "http://a/", "$ref": "http://["},
            "a reference must name a schema in its own document, got 'http://['",
        ),
        ({"$id": "http://a/", "not": {"$id": "//["}}, "an identifier must be a URI of at most 2000 letters, got '//['"),
        ({"properties": {"a/b~": {"pattern": "("}}}, "got '(' at /properties/a~1b~0/pattern: a group is not closed"),
        ({"patternProperties": {"[b-a]": {}}}, "got '[b-a]' at /patternProperties: a range is in the wrong order, b-a"),
        ({"minimum": 10**5000}, "a number must have at most 400 digits"),
        ({"minimum": float("nan")}, "a number must be finite, got nan at /minimum"),
        ({"enum": ["\ud800"]}, "half a surrogate pair in '\\ud800' at /enum/0"),
        ({"properties": {1: {}}}, "a key of a schema must be a text, got 1 at /properties"),
        ({"default": {1, 2}}, "a schema must be JSON, got {1, 2} at /default"),
        ('{"a": "\\ud800"}', "half a surrogate pair"),
        ('{"type": "string", "type": "integer"}', "a schema must have each key once, got 'type' twice"),
        ('{"minimum": NaN}', "a number must be finite, got NaN"),
        ('{"minimum": 1e999999999}', "a number must have at most 400 digits"),
        ("[" * 100_000, "a schema must be nested at most 100 deep, got more at line 1"),
        ('{"a": "' + "\\" * 1000, "a schema as text must be JSON"),
    ],
)
def test_a_fault_is_named_with_its_location(schema: Any, words: str) -> None:
    with pytest.raises(GuardError) as caught:
        prepared(schema_text(schema), "xgrammar", lenient=False)
    assert words in str(caught.value)


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"items": value}
    return value


def test_what_is_nested_as_deep_as_may_be_is_read_and_no_deeper() -> None:
    for schema in (nested(MAX_DEPTH), json.dumps(nested(MAX_DEPTH))):
        said, left_out = prepared(schema_text(schema), "xgrammar", lenient=True)
        assert [] == left_out
        assert MAX_DEPTH == said.count('"items":{')  # with those of any value
    for schema in (nested(MAX_DEPTH + 1), json.dumps(nested(MAX_DEPTH + 1)), nested(5000)):
        with pytest.raises(GuardError, match="nested at most 100 deep"):
            schema_text(schema)


def test_an_object_that_holds_itself_is_refused() -> None:
    ring: dict[str, Any] = {}
    ring["not"] = ring
    with pytest.raises(GuardError, match="nested at most 100 deep"):
        check(ring)


def test_text_stays_as_it_is_and_numbers_keep_their_digits() -> None:
    text = ' {"maximum": 0.1000000000000000000000001}\n'
    assert text.strip() == schema_text(text)
    assert "0.1000000000000000000000001" == parsed(text, fraction=str)["maximum"]
    assert int("7" * MAX_DIGITS) == parsed("7" * MAX_DIGITS)


def chain(count: int, keyword: str = "allOf") -> dict[str, Any]:
    def link(number: int) -> dict[str, Any]:
        reference = {"$ref": f"#/$defs/d{number + 1}"}
        return {keyword: [reference] if keyword == "allOf" else reference}

    links = {f"d{number}": link(number) for number in range(count)}
    return {"$defs": links | {f"d{count}": {"type": "null"}}, "$ref": "#/$defs/d0"}


def test_a_chain_of_definitions_is_read_link_by_link() -> None:
    root, definitions = read(chain(3000, "items"))
    assert {"$ref": "#/$defs/d0"} == root
    assert 3001 == len(definitions)
    assert {"type": "null"} == definitions["d3000"]


def test_references_lead_through_few_definitions_at_one_value() -> None:
    assert MAX_LINKS == len(read(chain(MAX_LINKS - 1))[1])
    for count in (MAX_LINKS, 3000):
        with pytest.raises(GuardError, match="references must lead through at most 50 definitions at one value, got"):
            read(chain(count))


def test_a_ring_of_definitions_is_a_circle_and_one_with_a_property_between_is_none() -> None:
    closed = chain(30)
    closed["$defs"]["d30"] = {"$ref": "#/$defs/d0"}
    with pytest.raises(GuardError, match="a reference must lead to a schema, got a cycle at /"):
        read(closed)
    closed["$defs"]["d30"] = {"properties": {"a": {"$ref": "#/$defs/d0"}}}
    assert 31 == len(read(closed)[1])


def test_references_go_by_identifiers_anchors_and_pointers() -> None:
    references = ("one#/$defs/b", "/two", "one#x", "#/$defs/c", "two/../../two")
    document = {
        "$id": "http://example.com/root/",
        "$defs": {
            "a": {"$id": "one", "$anchor": "x", "items": {"$ref": "#x"}, "$defs": {"b": {"const": 1}}},
            "c": {"$id": "../two", "dependencies": {"p": ["q"], "r": {"items": {"$ref": "#"}}}, "const": 2},
        },
        "allOf": [{"items": {"$ref": reference}} for reference in references],
    }
    root, definitions = read(document)
    assert isinstance(root, Node)
    found = [definitions[part["items"]["$ref"].removeprefix("#/$defs/")] for part in root["allOf"]]
    assert [1, 2, None, 2, 2] == [part.get("const") for part in found if isinstance(part, Node)]
    assert found[1] is found[3]
    assert "/$defs/a" == found[2].location  # type: ignore[union-attr]


def test_locations_are_short_whatever_the_names() -> None:
    location = ""
    for _ in range(100):
        location = stepped(location, "n" * 1000)
    assert len(location) < 700
    assert "/a~1b/0" == stepped("", "a/b", 0)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(", "a group is not closed at position 0"),
        ("a)", "a ) closes nothing at position 1"),
        ("*a", "* has nothing to repeat at position 0"),
        ("a{2}{3}", "{3} has nothing to repeat at position 4"),
        ("a{3,2}", "{3,2} has its numbers in the wrong order at position 1"),
        ("[ab", "a [ is not closed at position 0"),
        ("\\", "a backslash has nothing to escape at position 0"),
        (r"\u{110000}", "a code is none of Unicode's at position 0"),
        ("(" * 200 + ")" * 200, "more than 100 groups are inside of one another at position 100"),
    ],
)
def test_what_is_no_regex_is_named_with_its_position(pattern: str, fault: str) -> None:
    assert fault == fault_in_pattern(pattern)


@given(constraint=regexes())
def test_a_regex_has_no_fault(constraint: Any) -> None:
    assert None is fault_in_pattern(constraint.source)


@given(pattern=st.text("ab()*?{}|12,^$\\", max_size=12))
@settings(max_examples=500)
def test_what_has_a_fault_is_no_regex_to_python_either(pattern: str) -> None:
    if fault_in_pattern(pattern) is not None:
        with pytest.raises(re.error):
            re.compile(pattern)
