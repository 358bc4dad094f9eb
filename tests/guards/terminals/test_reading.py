"""Texts that are expensive for llguidance at every byte are read to the end, with masks between their bytes."""

from ngramspec.guards import Guard
from tests.guards.vocabularies import BYTES


def test_a_long_text_is_read_where_each_byte_costs_much() -> None:
    schema = {"type": "string", "pattern": r"^(?:\S+\s+){0,29}\S+$", "maxLength": 300}
    guard = Guard.json_schema(schema, BYTES)
    texts = ['"' + " ".join(["word" * 2] * count) + '"' for count in (29, 30, 31)]
    assert [True, True, False] == [guard.accepts(text) for text in texts]
    assert not guard.accepts('"' + "word " * 60 + '"')


def test_a_host_name_may_have_253_characters() -> None:
    guard = Guard.json_schema({"type": "string", "format": "hostname"}, BYTES)
    names = [".".join(["a" * 49] * 5) + "." + "a" * last for last in (3, 4)]
    assert [253, 254] == list(map(len, names))
    assert [True, False] == [guard.accepts(f'"{name}"') for name in names]
