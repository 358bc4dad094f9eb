"""The rule of verification changes no distribution: shown by enumerating every path, in exact fractions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria, StoppingCriteriaList

from ngramspec.decoding import FixedBudget, MeasuredCosts, Plan, Shape, Verdict, step
from ngramspec.decoding import Sequence as Decoded
from ngramspec.drafting import Draft, TokenArray
from ngramspec.hf.call import Call
from ngramspec.hf.choosing import AtOnce, Candidate, Chooser, InStep, RowByRow
from ngramspec.hf.record import Record
from ngramspec.hf.rows import Row
from ngramspec.hf.sampling import Picker
from ngramspec.hf.stopping import Stops
from ngramspec.hf.text import Text

VOCABULARY = 3
END = 2
PAD = 0
PROMPT = (1,)
NUM_TOKENS = 4
NO_RECORD = Record(GenerationConfig())
Tokens = tuple[int, ...]
Law = dict[Tokens, Fraction]
Table = dict[Tokens, tuple[int, ...]]
"""Weights of the next token after each text."""


class Tape(Picker):
    """Chooses from a tape of tokens, one per call, and multiplies up how likely that was."""

    def __init__(self, tapes: Sequence[Tokens], table: Table) -> None:
        super().__init__(do_sample=True, num_rows=1, device=torch.device("cpu"))
        self.tapes = [list(tape) for tape in tapes]
        self.texts: list[Tokens] = [()] * len(tapes)
        self.probability = Fraction(1)
        self.table = table

    def pick(self, scores: Tensor, row: int) -> int:
        weights = self.table[self.texts[row]]
        assert scores[0].tolist() == list(weights), "the scores are not those of the row's own text"
        token = self.tapes[row].pop(0)
        self.probability *= Fraction(weights[token], sum(weights))
        self.texts[row] += (token,)
        return token


class TableSession:
    """Drafts what a fixed function of the row's text says."""

    def __init__(self, drafts: dict[Tokens, Tokens]) -> None:
        self.text: Tokens = ()
        self.drafts = drafts

    def extend(self, tokens: TokenArray) -> None:
        self.text += tuple(tokens.tolist())

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(np.array(self.drafts[self.text][:max_tokens], np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


class TableTarget:
    """A language model that is a table, behind the real choosers."""

    def __init__(self, table: Table, chooser: Chooser) -> None:
        self.table = table
        self.chooser = chooser
        self.texts: dict[int, Tokens] = defaultdict(tuple)

    def shape(self, sequences: Sequence[Decoded]) -> Shape:
        return Shape(len(sequences), 1, len(sequences), 0)

    def verify(self, plans: Sequence[Plan]) -> list[Verdict]:
        candidates = []
        block = torch.ones(len(plans), 1 + max(plan.draft.tokens.size for plan in plans), VOCABULARY)
        for place, plan in enumerate(plans):
            assert isinstance(plan.sequence, Row)
            row, draft = plan.sequence.index, plan.draft.tokens
            start = block.shape[1] - 1 - draft.size
            for length in range(draft.size + 1):
                text = self.texts[row] + tuple(draft[:length].tolist())
                # Behind an end of sequence nothing is ever read, so any weights do.
                block[place, start + length] = torch.tensor(self.table.get(text, (1,) * VOCABULARY))
            candidates.append(Candidate(row, draft, block, place, start))
        verdicts = self.chooser.choose(candidates)
        for candidate, verdict in zip(candidates, verdicts, strict=True):
            self.texts[candidate.row] += tuple(verdict.tokens.tolist())
        return verdicts


class CountsCalls(LogitsProcessor):
    """A stranger: it sees every text, and must see each exactly once and in order."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.lengths.append(input_ids.shape[1])
        return scores


def decode(
    tapes: Sequence[Tokens], table: Table, drafts: dict[Tokens, Tokens], chooser_type: type[RowByRow | InStep], k: int
) -> tuple[list[Tokens], Fraction, int]:
    """Run the real loop along one path; returns the texts, the path's probability and the accepted tokens."""
    prompt = torch.tensor([PROMPT] * len(tapes))
    criteria = StoppingCriteriaList([MaxLengthCriteria(1 + NUM_TOKENS), EosTokenCriteria(END)])
    text = Text(prompt, 1 + NUM_TOKENS, PAD, None)
    picker = Tape(tapes, table)
    counts = CountsCalls()
    stops = Stops(criteria, 1 + NUM_TOKENS)
    chooser = chooser_type(Call(text, LogitsProcessorList([counts]), picker, stops, NO_RECORD))
    rows = [
        Row(
            TableSession(drafts),
            np.array(PROMPT, np.int32),
            NUM_TOKENS,
            index=index,
            pad_token=PAD,
            positions=np.arange(1),
            max_position=99,
            vocabulary=VOCABULARY,
        )
        for index in range(len(tapes))
    ]
    target = TableTarget(table, chooser)
    while not all(row.finished for row in rows):
        live = rows if isinstance(chooser, InStep) else [row for row in rows if not row.finished]
        step(target, live, FixedBudget(k), MeasuredCosts())
    if isinstance(chooser, InStep):
        assert counts.lengths == list(range(1, 1 + max(map(len, picker.texts))))
    return picker.texts, picker.probability, sum(row.counters.num_accepted_tokens for row in rows)


def texts_of_length(length: int) -> Iterator[Tokens]:
    """Texts that can still go on."""
    yield from product([token for token in range(VOCABULARY) if token != END], repeat=length)


def plain_law(table: Table) -> Law:
    """The law of plain decoding: multiply down the tree."""
    law: Law = {}

    def descend(text: Tokens, probability: Fraction) -> None:
        if len(text) == NUM_TOKENS or (text and text[-1] == END):
            law[text] = probability
            return
        weights = table[text]
        for token in range(VOCABULARY):
            descend((*text, token), probability * Fraction(weights[token], sum(weights)))

    descend((), Fraction(1))
    return law


weights = st.tuples(*[st.integers(1, 5)] * VOCABULARY)
open_texts = [text for length in range(NUM_TOKENS) for text in texts_of_length(length)]
tables = st.fixed_dictionaries(dict.fromkeys(open_texts, weights))
draft_tables = st.fixed_dictionaries(
    {text: st.lists(st.integers(0, VOCABULARY - 1), max_size=3).map(tuple) for text in open_texts}
)


@pytest.mark.parametrize("chooser_type", [RowByRow, InStep])
@given(table=tables, drafts=draft_tables)
@settings(max_examples=15, deadline=None)
def test_the_law_of_the_text_is_that_of_plain_decoding_whatever_is_drafted(
    chooser_type: type[RowByRow | InStep], table: Table, drafts: dict[Tokens, Tokens]
) -> None:
    expected = plain_law(table)
    law: Law = {}
    for text in expected:
        (emitted,), probability, _ = decode([text], table, drafts, chooser_type, k=3)
        law[emitted] = law.get(emitted, Fraction(0)) + probability
    assert expected == law
    assert sum(law.values()) == 1


@pytest.mark.parametrize("chooser_type", [RowByRow, InStep])
@given(table=tables, drafts=draft_tables, data=st.data())
@settings(max_examples=10, deadline=None)
def test_rows_of_a_batch_are_independent_and_each_has_the_law_of_plain_decoding(
    chooser_type: type[RowByRow | InStep], table: Table, drafts: dict[Tokens, Tokens], data: st.DataObject
) -> None:
    law = plain_law(table)
    firsts = data.draw(st.lists(st.sampled_from(sorted(law)), min_size=4, max_size=4, unique=True))
    for first, second in product(firsts, sorted(law)[::3]):
        texts, probability, _ = decode([first, second], table, drafts, chooser_type, k=3)
        assert texts == [first, second]
        assert probability == law[first] * law[second]


def test_the_enumeration_accepts_and_rejects() -> None:
    table: Table = dict.fromkeys(open_texts, (1, 2, 3))
    drafts: dict[Tokens, Tokens] = dict.fromkeys(open_texts, (1, 1, 2))
    accepted = {text: decode([text], table, drafts, RowByRow, k=3)[2] for text in plain_law(table)}
    assert accepted[(1, 1, 2)] == 3
    assert accepted[(1, 0, 0, 0)] == 1
    assert accepted[(0, 0, 0, 0)] == 0


@given(table=tables, drafts=draft_tables)
@settings(max_examples=30, deadline=None)
def test_greedy_all_at_once_is_greedy_one_by_one(table: Table, drafts: dict[Tokens, Tokens]) -> None:
    text: Tokens = ()
    while len(text) < NUM_TOKENS and END not in text:
        text += (max(range(VOCABULARY), key=lambda token: table[text][token]),)
    prompt = torch.tensor([PROMPT])
    picker = Picker(do_sample=False, num_rows=1, device=prompt.device)
    emitted = []
    for chooser_type in (AtOnce, RowByRow, InStep):
        criteria = StoppingCriteriaList([MaxLengthCriteria(1 + NUM_TOKENS), EosTokenCriteria(END)])
        start = Text(prompt, 1 + NUM_TOKENS, PAD, None)
        call = Call(start, LogitsProcessorList(), picker, Stops(criteria, 1 + NUM_TOKENS), NO_RECORD)
        row = Row(
            TableSession(drafts),
            np.array(PROMPT, np.int32),
            NUM_TOKENS,
            index=0,
            pad_token=PAD,
            positions=np.arange(1),
            max_position=99,
            vocabulary=VOCABULARY,
        )
        target = TableTarget(table, chooser_type(call))
        while not row.finished:
            step(target, [row], FixedBudget(3), MeasuredCosts())
        emitted.append(tuple(call.text.emitted[0]))
    assert [text] * 3 == emitted
