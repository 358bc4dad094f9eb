"""Steering answers like the slow and obvious one, whatever is offered, drafted, accepted and committed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import NO_DRAFT, Draft, Steering, TokenArray
from ngramspec.foresight import Grammar, text_of
from ngramspec.guards import Guard, Vocabulary
from tests.decoding.slow_steering import Answer, SlowSteering, play
from tests.guards.vocabularies import BYTES, words

PROMPT = (
    "CREATE TABLE singer (name text, age int);\nInvoice number: 4711, to 'Müller & Co', paid in USD on 2024-02-03."
    " Items: 3 chairs, 2 tables. How many singers are older than 30?\n"
)
LARGE = words(
    '{"', '":', '", "', "invoice", "_number", '": ', '"}', "47", "711", "SELECT", " name", " FROM", " Mü", "ller"
)
SCHEMA = {
    "type": "object",
    "properties": {
        "invoice_number": {"type": "integer"},
        "to": {"type": "string"},
        "currency": {"enum": ["EUR", "USD"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "number": {
            "type": "integer"}}, "required": ["name"], "additionalProperties": False}},
        "paid": {"type": "string", "format": "date"},
    },
    "required": ["invoice_number", "to", "currency"],
    "additionalProperties": False,
}  # fmt: skip
TEXTS = {
    "schema": '{"invoice_number": 4711, "to": "Müller & Co", "currency": "USD", "items": ['
    '{"name": "chair", "number": 3}, {"name": "table"}], "paid": "2024-02-03"}',
    "between": 'well <{"invoice_number": 4711, "to": "Müller", "currency": "USD"}> and <{"invoice_number": 1',
    "regex": "customer=Müller & Co, invoice_number=4711;",
    "sql": "SELECT name FROM singer WHERE age > 30 ORDER BY name",
    "constant": '{"k":[1,2,3]}',
}
GUARDS: dict[str, Callable[[Vocabulary], Guard]] = {
    "schema": lambda vocabulary: Guard.json_schema(SCHEMA, vocabulary),
    "between": lambda vocabulary: Guard.json_schema(SCHEMA, vocabulary).between("<", ">"),
    "regex": lambda vocabulary: Guard.regex(r"customer=[\w &]+, invoice_number=[0-9]+;", vocabulary),
    "sql": lambda vocabulary: Guard.load("sql-select", vocabulary),
    "any": lambda vocabulary: Guard.regex(r'[ -~]*"[ -~ü]*', vocabulary),
    "constant": lambda vocabulary: Guard.json_schema({"const": {"k": [1, 2, 3]}}, vocabulary, whitespace="compact"),
}


ANY_TOKENS = st.lists(st.integers(0, 1000), max_size=2)


class Playing:
    """A session that asks its steering what `play` asks."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.offers: list[list[int]] = []
        self.orders: list[int] = []

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        tokens, self.answers = play(steering, self.offers, self.orders)
        return Draft(np.array(tokens, np.int32))

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(NO_DRAFT)

    def extend(self, tokens: TokenArray) -> None:
        return

    def observe(self, draft: Draft, num_accepted: int) -> None:
        return

    def close(self) -> None:
        return


def tokens_of(vocabulary: Vocabulary, text: str) -> TokenArray:
    return np.array(vocabulary.encode(text), np.int32)


@pytest.mark.parametrize("vocabulary", [BYTES, LARGE], ids=["bytes", "words"])
@pytest.mark.parametrize("names", [["schema"], ["between"], ["regex"], ["sql"], ["constant"], ["schema", "any"]])
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_any_question_gets_the_same_answer(names: Sequence[str], vocabulary: Vocabulary, data: st.DataObject) -> None:
    guards = [GUARDS[name](vocabulary) for name in names]
    [end] = vocabulary.eos_tokens
    ends = data.draw(st.sampled_from([None, end]))
    prompt = tokens_of(vocabulary, PROMPT)
    matchers = [guard.matcher([end]) for guard in guards]
    fast = RowSteering(matchers, [prompt], ends)
    source = guards[0].matcher([end]).source
    assert source is not None
    text = text_of(Grammar(source.language, source.text, source.whitespace, source.salt), lambda: PROMPT)
    slow = SlowSteering(guards, [end], text, ends)

    recorded = tokens_of(vocabulary, TEXTS[names[0]]).tolist()
    for _ in range(data.draw(st.integers(1, 4))):
        said = len(slow.committed)
        upcoming = recorded[said:] if slow.committed == recorded[:said] else []
        length = data.draw(st.integers(0, 9))
        pairs = data.draw(st.lists(st.tuples(st.booleans(), ANY_TOKENS), min_size=length, max_size=length))
        session = Playing()
        session.offers = [
            [*upcoming[position : position + is_copied], *(token % len(vocabulary) for token in others)]
            for position, (is_copied, others) in enumerate(pairs)
        ]
        session.orders = data.draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
        draft = fast.draft(session, matchers, length, 0.0).tokens.tolist()
        expected, answers = play(slow, session.offers, session.orders)
        assert answers == session.answers
        assert expected == draft

        committed = draft[: data.draw(st.integers(0, len(draft)))]
        bonus = data.draw(st.sampled_from([None, *upcoming[len(committed) : len(committed) + 1]]))
        tokens = [*committed, *([] if bonus is None or end in committed else [bonus])]
        if not all_advance(matchers, tokens):
            tokens = committed
            assert all_advance(matchers, tokens)
        slow.commit(tokens)
        fast.commit(np.array(tokens, np.int32))
        if end in tokens:
            return


def all_advance(matchers: Sequence[Any], tokens: list[int]) -> bool:
    """Advance all matchers by `tokens`, or none."""
    for matcher in matchers:
        with matcher.lookahead() as ahead:
            if not all(map(ahead.push, tokens)):
                return False
    for matcher in matchers:
        matcher.advance(tokens)
    return True
