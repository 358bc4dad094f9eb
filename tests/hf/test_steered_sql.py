"""Under an SQL grammar, drafts come from the prompt's tables, and the text is that of plain decoding."""

import functools
from typing import Any

import pytest
import torch

from ngramspec import FixedBudget, Guard, Speculator, Vocabulary, load_pico
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.drafters import NoDrafter

TABLES = """CREATE TABLE singer (singer_id int, name text, country text, age int);
CREATE TABLE concert (concert_id int, singer_id int, stadium text, year int);
"""
QUESTIONS = (
    "How many singers are older than 30?",
    "Which stadium had the most concerts?",
    "Names of singers from 'France'.",
)


@functools.cache
def pico() -> tuple[Any, Any, Guard]:
    model, tokenizer = load_pico()
    return model, tokenizer, Guard.load("sql-select", Vocabulary.of(tokenizer))


@pytest.mark.parametrize("do_sample", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_statements_are_those_of_plain_decoding(batch: int, do_sample: bool) -> None:
    model, tokenizer, guard = pico()
    asked = [f"{TABLES}-- {QUESTIONS[row]}\n" for row in range(batch)]
    prompts = tokenizer(asked, padding=True, padding_side="left", return_tensors="pt")

    def written(spec: Speculator) -> list[list[int]]:
        torch.manual_seed(5)
        more = {"logits_processor": [guard], "max_new_tokens": 40, "do_sample": do_sample, "custom_generate": spec}
        made: list[list[int]] = model.generate(**prompts, **more).tolist()
        return made

    spec = Speculator()
    assert written(Speculator(NoDrafter(), FixedBudget(0))) == written(spec)
    assert_accepted_and_rolled_back(spec)
