"""Each answer is the text of `generate()` for its prompt alone, whatever is decoded beside it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from ngramspec import Guard
from ngramspec.pico import edit_prompt, extract_prompt, repeat_prompt, rewrite_prompt
from tests.serve.serving import Client, generated, pico, serving, text_of

SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "quantity": {"type": "integer"}},
    "required": ["order", "quantity"],
    "additionalProperties": False,
}
EXTRACT = extract_prompt("Deliver to Turin. The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})
EDIT = edit_prompt("value", "column", "def double(value):\n    # doubles value\n    return value + value")
REWRITE = rewrite_prompt("Monday", "Friday", "The next meeting is on Monday. Please bring the report.")
REPEAT = repeat_prompt("Naïve café: 東京, 😀 and more,\nin two lines.\nAnd again in two lines.")
SIGNS = "naïve 東京, 😀 and 𝄞 more"
UNKNOWN = "Once upon a time, there was no task at all"


@dataclass(frozen=True)
class Asked:
    """A request, and the arguments of generate() that mean the same.

    cut: stop strings. goes_after: messages after which the client goes.
    """

    prompt: str
    fields: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    guard: str | None = None
    cut: tuple[str, ...] = ()
    goes_after: int | None = None

    def expected(self, index: int) -> str:
        """The text of its index-th answer."""
        seed = self.fields.get("seed", 0) + index
        text = text_of(generated(self.prompt, guard_of(self.guard), seed, **self.arguments))
        return text[: min((text.find(stop) for stop in self.cut if stop in text), default=len(text))]


def guard_of(name: str | None) -> Guard | None:
    tokenizer = pico()[1]
    match name:
        case "schema":
            return Guard.json_schema(SCHEMA, tokenizer)
        case "compact":
            return Guard.json_schema(SCHEMA, tokenizer, whitespace="compact")
        case "object":
            return Guard.json_schema({"type": "object"}, tokenizer)
        case "regex":
            return Guard.regex("[a-z]{3,8}( [a-z]{3,8}){2,4}", tokenizer)
        case "choice":
            return Guard.choice(["Turin", "Bremen", "Rome"], tokenizer)
        case "signs":
            return Guard.choice([SIGNS], tokenizer)
        case "grammar":
            return Guard.grammar('start: "<" /[a-z]+/ ("," /[a-z]+/)* ">"', tokenizer)
    return None


def drawn(temperature: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"do_sample": True, "temperature": temperature, "top_k": 0, **more}


STRICT = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA, "strict": True}}

GREEDY = [
    Asked(prompt, {"max_tokens": length}, {"max_new_tokens": length})
    for prompt, length in ((EXTRACT, 40), (EDIT, 60), (REWRITE, 40), (REPEAT, 90), (UNKNOWN, 30), (EDIT, 1))
]
DRAWN = [
    Asked(EDIT, {"temperature": 1, "seed": 3, "max_tokens": 40}, drawn(max_new_tokens=40)),
    Asked(UNKNOWN, {"temperature": 0.7, "seed": 4, "max_tokens": 40}, drawn(0.7, max_new_tokens=40)),
    Asked(UNKNOWN, {"top_p": 0.9, "seed": 5, "max_tokens": 40}, drawn(top_p=0.9, max_new_tokens=40)),
    Asked(UNKNOWN, {"top_k": 5, "seed": 6, "max_tokens": 40}, drawn(max_new_tokens=40) | {"top_k": 5}),
    Asked(UNKNOWN, {"min_p": 0.1, "seed": 7, "max_tokens": 40}, drawn(min_p=0.1, max_new_tokens=40)),
    Asked(REPEAT, {"temperature": 1.5, "top_k": -1, "seed": 8, "max_tokens": 40}, drawn(1.5, max_new_tokens=40)),
    Asked(UNKNOWN, {"temperature": 1, "seed": 9, "n": 3, "max_tokens": 20}, drawn(max_new_tokens=20)),
]
GUARDED = [
    Asked(UNKNOWN, {"structured_outputs": {"choice": [SIGNS]}, "max_tokens": 60}, {"max_new_tokens": 60}, "signs"),
    Asked(EXTRACT, {"response_format": STRICT, "max_tokens": 60}, {"max_new_tokens": 60}, "schema"),
    Asked(EXTRACT, {"response_format": {"type": "json_object"}, "max_tokens": 60}, {"max_new_tokens": 60}, "object"),
    Asked(
        EXTRACT,
        {"structured_outputs": {"json": SCHEMA, "disable_any_whitespace": True}, "max_tokens": 60},
        {"max_new_tokens": 60},
        "compact",
    ),
    Asked(
        UNKNOWN,
        {
            "structured_outputs": {"regex": "[a-z]{3,8}( [a-z]{3,8}){2,4}"},
            "temperature": 1,
            "seed": 1,
            "max_tokens": 40,
        },
        drawn(max_new_tokens=40),
        "regex",
    ),
    Asked(EXTRACT, {"structured_outputs": {"choice": ["Turin", "Bremen", "Rome"]}}, {"max_new_tokens": 16}, "choice"),
    Asked(
        UNKNOWN,
        {"structured_outputs": {"grammar": 'start: "<" /[a-z]+/ ("," /[a-z]+/)* ">"'}, "max_tokens": 30},
        {"max_new_tokens": 30},
        "grammar",
    ),
]
OTHERS = [
    Asked(EDIT, {"stop": "return", "max_tokens": 60}, {"max_new_tokens": 60}, cut=("return",)),
    Asked(
        EDIT,
        {"stop": ["no such", "lumn):\n  ", "urn"], "max_tokens": 60},
        {"max_new_tokens": 60},
        cut=("lumn):\n  ",),
    ),
    Asked(REPEAT, {"repetition_penalty": 1.3, "max_tokens": 40}, {"repetition_penalty": 1.3, "max_new_tokens": 40}),
    Asked(
        EDIT,
        {"logit_bias": {"300": -100, "301": 5.5}, "max_tokens": 40},
        {"sequence_bias": {(300,): -100.0, (301,): 5.5}, "max_new_tokens": 40},
    ),
    Asked(EXTRACT, {"ignore_eos": True, "max_tokens": 60}, {"eos_token_id": None, "max_new_tokens": 60}),
    Asked(EDIT, {"speculate": False, "max_tokens": 60}, {"max_new_tokens": 60}),
    Asked(EDIT, {"metadata": {"segment": "edits"}, "max_tokens": 60}, {"max_new_tokens": 60}),
    Asked(REWRITE, {"prediction": {"type": "content", "content": REWRITE}, "max_tokens": 60}, {"max_new_tokens": 60}),
]
DROPPED = [
    *(Asked(REPEAT, {"max_tokens": 40, "stream": number % 2 == 0}, goes_after=number % 4) for number in range(22)),
    Asked(REPEAT, {"max_tokens": 90, "stream": True}, goes_after=2),
    Asked(EDIT, {"max_tokens": 60, "stream": True, "temperature": 1}, goes_after=1),
    Asked(EXTRACT, {"max_tokens": 60}, goes_after=0),
    Asked(EXTRACT, {"max_tokens": 60, "response_format": STRICT, "stream": True}, goes_after=1),
]
SHORT: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    (EXTRACT, {}, {}, None),
    (UNKNOWN, {"temperature": 1.2}, drawn(1.2), None),
    (REWRITE, {"structured_outputs": {"regex": "[a-z]{3,8}( [a-z]{3,8}){2,4}"}}, {}, "regex"),
    (REPEAT, {"temperature": 0.8, "top_p": 0.95}, drawn(0.8, top_p=0.95), None),
    (EXTRACT, {"response_format": STRICT, "temperature": 1}, drawn(), "schema"),
    (EDIT, {"metadata": {"segment": "edits"}, "cache_salt": "a"}, {}, None),
    (EDIT, {"stop": ["value", "\n"]}, {}, None),
]


def short(number: int) -> Asked:
    """One of many short requests: they join and leave in the middle of others."""
    prompt, fields, arguments, guard = SHORT[number % len(SHORT)]
    length = 3 + number % 11
    return Asked(
        prompt,
        {**fields, "seed": number, "max_tokens": length},
        {**arguments, "max_new_tokens": length},
        guard,
        cut=tuple(fields.get("stop", ())),
    )


KEPT = [*GREEDY, *DRAWN, *GUARDED, *OTHERS, *map(short, range(146))]


async def texts(client: Client, asked: Asked, *, stream: bool) -> list[str]:
    """The texts of the answers, put together from their pieces if they are streamed."""
    reply = await client.complete(asked.prompt, **asked.fields, stream=stream)
    assert 200 == reply.status, reply.json
    found = [""] * asked.fields.get("n", 1)
    for body in reply.events if stream else [reply.json]:
        for choice in body["choices"]:
            found[choice["index"]] += choice["text"]
    return found


@pytest.fixture(scope="module")
def expected() -> list[list[str]]:
    """What generate() says of those that stay."""
    return [[each.expected(index) for index in range(each.fields.get("n", 1))] for each in KEPT]


@pytest.mark.parametrize("is_streamed_first", [True, False])
def test_200_mixed_answers_are_those_of_generate_alone(expected: list[list[str]], is_streamed_first: bool) -> None:
    async def ask_all() -> tuple[list[list[str]], Any]:
        async with serving(max_rows=8, max_waiting=300) as client:
            dropped = [client.complete(each.prompt, goes_after=each.goes_after, **each.fields) for each in DROPPED]
            kept = [
                texts(client, each, stream=(number % 2 == 0) == is_streamed_first) for number, each in enumerate(KEPT)
            ]
            gone = asyncio.gather(*dropped)
            reply = await asyncio.gather(*kept)
            await gone
            assert client.service.engine.engine is not None
            return list(reply), client.service.engine.engine.spec.stats.total

    assert 200 == len(KEPT) + len(DROPPED)
    reply, total = asyncio.run(ask_all())
    assert expected == reply
    assert 0 < total.num_accepted_tokens < total.num_draft_tokens
