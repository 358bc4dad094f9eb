"""Tests for your own suite: your schema means what you think, and the texts of a model under it fit.

Needs `pip install hypothesis`.
"""

import json

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import ngramspec
from ngramspec.testing import assert_valid


class Person(BaseModel, extra="forbid"):  # yours
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=130)
    emails: list[str] = Field(max_length=3)


model, tokenizer = ngramspec.load_pico()  # yours
guard = ngramspec.Guard.json_schema(Person, tokenizer, whitespace="compact")
spec = ngramspec.Speculator()

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20)  # DEL is written \u007f only
PEOPLE = st.builds(Person, name=TEXTS, age=st.integers(0, 130), emails=st.lists(TEXTS, max_size=3))
WRONG = [
    {"age": 131},
    {"age": "1"},
    {"age": 1.5},
    {"emails": ["a"] * 4},
    {"name": None},
    {"name": "a" * 21},
    {"more": 1},
]


@settings(max_examples=100, deadline=None)
@given(PEOPLE)
def test_every_person_can_be_written(person: Person) -> None:
    assert_valid(guard, person.model_dump_json())


@settings(max_examples=100, deadline=None)
@given(PEOPLE, st.sampled_from(WRONG))
def test_what_is_no_person_cannot(person: Person, wrong: dict[str, object]) -> None:
    text = json.dumps(person.model_dump() | wrong, ensure_ascii=False, separators=(",", ":"))
    assert not guard.accepts(text)


@settings(max_examples=10, deadline=None)
@given(prompt=st.text(min_size=1, max_size=40), seed=st.integers(0, 99))
def test_what_is_written_is_a_person(prompt: str, seed: int) -> None:
    inputs = tokenizer(prompt, return_tensors="pt")
    torch.manual_seed(seed)  # sampled, so mostly nonsense: the guard must still hold
    output = model.generate(
        **inputs, custom_generate=spec, logits_processor=[guard], do_sample=True, temperature=1.5, max_new_tokens=160
    )
    answer = output[0, inputs["input_ids"].shape[1] :]
    if answer[-1] == tokenizer.eos_token_id:  # else it was cut off
        text = tokenizer.decode(answer, skip_special_tokens=True)
        assert_valid(guard, text)  # by the grammar
        Person.model_validate_json(text)  # and by pydantic


for test in (test_every_person_can_be_written, test_what_is_no_person_cannot, test_what_is_written_is_a_person):
    test()  # pytest calls them; here they run as a program
print(spec.stats)
