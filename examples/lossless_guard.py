"""A test for your own suite: under your guard, on your model, drafts change no text, and texts are valid."""

import ngramspec
from ngramspec import Guard
from ngramspec.testing import assert_lossless, assert_valid

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "total": {"type": "integer"}},
    "required": ["name", "total"],
    "additionalProperties": False,
}
PROMPTS = ["name: Ada Byron\ntotal: 12\n", "The parcel left on Monday."]


def test_my_guard() -> None:
    model, tokenizer = ngramspec.load_pico()  # yours
    guard = Guard.json_schema(SCHEMA, tokenizer, whitespace="compact")
    assert_valid(guard, '{"name":"Ada Byron","total":12}')  # says where a text violates the guard
    report = assert_lossless(model, guard, tokenizer(PROMPTS)["input_ids"], max_new_tokens=32, batch=2)
    for mode in report.modes:  # greedy and sampled, each prompt alone and in batches, drafts of every kind
        print(mode)


test_my_guard()  # pytest calls it; here it runs as a program
