"""Requests for `benchmarks.vllm`: real prompts for free text, and letters from which fields are extracted in a form."""

import random
import tomllib
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.real import PROMPTS

KINDS = ("summary", "extraction", "correction", "rename", "chat")

SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "maxLength": 40},
        "city": {"type": "string", "maxLength": 40},
        "order_number": {"type": "string", "pattern": "^[A-Z]-[0-9]{5}$"},
        "item": {"type": "string", "maxLength": 40},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 999},
        "wish": {"enum": ["refund", "replacement", "repair", "information"]},
    },
    "required": ["customer", "city", "order_number", "item", "quantity", "wish"],
    "additionalProperties": False,
}


class Request(NamedTuple):
    """One request. segment: the traffic that it belongs to."""

    prompt: str
    segment: str
    max_tokens: int
    is_form: bool = False


def real_requests(tokens: int) -> list[Request]:
    """One request of each kind, then the next of each. tokens: most tokens of an answer."""
    given = tomllib.loads(PROMPTS.read_text())
    rows = zip(*(given[kind] for kind in KINDS), strict=True)
    return [
        Request(item["prompt"].strip(), kind, min(tokens, item["max_new_tokens"]))
        for row in rows
        for kind, item in zip(KINDS, row, strict=True)
    ]


def letters(number: int, tokens: int) -> list[Request]:
    """Letters of customers, from which fields are extracted."""
    draw = random.Random(0)
    names, cities = ["Ada Kern", "Bo Lind", "Hanna Voss", "Ivo Prat"], ["Graz", "Turin", "Oslo", "Bremen", "Lyon"]
    items = ["green lamp", "steel chair", "oak shelf", "wall clock", "copper kettle", "desk fan"]
    wishes = ["Please send the money back", "Please send another one", "Can it be repaired", "What shall I do now"]
    opening = "Read the customer's letter, and write its fields as a JSON object with the keys " + ", ".join(
        SCHEMA["properties"]  # type: ignore[arg-type]
    )
    made = []
    for _ in range(number):
        order, quantity = f"{draw.choice('ABKM')}-{draw.randrange(10_000, 100_000)}", draw.randrange(1, 30)
        letter = (
            f"Good day, my name is {draw.choice(names)}, and I write from {draw.choice(cities)}. With order {order} "
            f"I got the {draw.choice(items)}, {quantity} of them, and one came broken. {draw.choice(wishes)}?"
        )
        made.append(Request(f"{opening}.\n\n{letter}", "letters", tokens, is_form=True))
    return made


def jobs_of(requests: Sequence[Request], batch: int, most: int) -> list[Sequence[Request]]:
    """At most `most` jobs of `batch` requests; a single job of all if there are fewer."""
    size = min(batch, len(requests))
    return [requests[start : start + size] for start in range(0, len(requests) - size + 1, size)][:most]
