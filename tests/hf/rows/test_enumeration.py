"""The rule of verification changes no distribution: shown by enumerating every path, in exact fractions."""

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
from transformers.generation.logits_process import LogitsProcessor
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria, StoppingCriteriaList

from ngramspec.decoding import FixedBudget, MeasuredCosts, Plan, Reading, Row, Shape, Target, step
from ngramspec.drafting import Draft, TokenArray
from ngramspec.hf.choice.processors import Processors
from ngramspec.hf.choice.sampling import Picker
from ngramspec.hf.choice.score_record import ScoreRecord
from ngramspec.hf.choice.stopping import Stops
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.layout import layout_of
from ngramspec.hf.rows.logits import PassLogits
from ngramspec.hf.rows.orders import choices_of
from ngramspec.hf.rows.row import ModelRow
from ngramspec.testing.drafters import merged
from tests.drafting.test_tree import paths_of

VOCABULARY = 3
END = 2
PAD = 0
PROMPT = (1,)
NUM_TOKENS = 4
NO_RECORD = ScoreRecord(GenerationConfig())
Tokens = tuple[int, ...]
Law = dict[Tokens, Fraction]
Table = dict[Tokens, tuple[int, ...]]
"""Weights of the next token after each text."""
Drafts = dict[Tokens, list[Tokens]]
"""After each text the chains that are drafted, as one tree; in step the first one."""


class Tape(Picker):
    """Chooses from a tape of tokens, one per call, and multiplies up how likely that was."""

    def __init__(self, tape: Tokens, table: Table) -> None:
        super().__init__(do_sample=True)
        self.tape = list(tape)
        self.text: Tokens = ()
        self.probability = Fraction(1)
        self.table = table

    def pick(self, scores: Tensor) -> int:
        weights = self.table[self.text]
        assert scores[0].tolist() == list(weights), "the scores are not those of the row's own text"
        token = self.tape.pop(0)
        self.probability *= Fraction(weights[token], sum(weights))
        self.text += (token,)
        return token


class TableSession:
    """Drafts what a fixed function of the row's text says."""

    def __init__(self, drafts: Drafts) -> None:
        self.text: Tokens = ()
        self.drafts = drafts

    def extend(self, tokens: TokenArray) -> None:
        self.text += tuple(tokens.tolist())

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(np.array(self.drafts[self.text][0][:max_tokens], np.int32))

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        return merged(self.drafts[self.text], max_nodes)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


class TableTarget(Target):
    """A language model that is a table, read by the real choosers."""

    takes_trees = True

    def __init__(self, table: Table) -> None:
        self.table = table

    def shape(self, rows: Sequence[Row]) -> Shape:
        return Shape(len(rows), 1, len(rows), 0)

    def read(self, plans: Sequence[Plan]) -> Reading:
        block = torch.ones(len(plans), 1 + max(plan.draft.tokens.size for plan in plans), VOCABULARY)
        rows, starts, drafts, layouts = [], [], [], {}
        for line, plan in enumerate(plans):
            assert isinstance(plan.row, ModelRow)
            layout, draft = layout_of(plan.draft), plan.draft.tokens.tolist()
            paths = [tuple(draft[: length + 1]) for length in range(len(draft))]
            if layout is not None:
                layouts[line], draft, paths = layout, layout.tokens, paths_of(layout.tree)
            start = block.shape[1] - 1 - len(draft)
            for column, path in enumerate([(), *paths]):
                # After an end of sequence nothing is ever read, so any weights do.
                weights = self.table.get((*plan.row.emitted, *path), (1,) * VOCABULARY)
                block[line, start + column] = torch.tensor(weights)
            rows.append(plan.row)
            starts.append(start)
            drafts.append(draft)
        logits = PassLogits(block, rows, drafts, range(len(rows)), starts, layouts)
        return Reading(self.shape(rows), *choices_of(logits))


class CountsCalls(LogitsProcessor):
    """A stranger: it sees every text, and must see each exactly once and in order."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.lengths.append(input_ids.shape[1])
        return scores


ORDERS = ("row by row", "in step")


def opened(pickers: Sequence[Picker], drafts: Drafts, processors: Sequence[LogitsProcessor], order: str) -> Call:
    """A call of rows that choose in `order`."""
    prompt = torch.tensor([PROMPT] * len(pickers))
    stops = Stops(StoppingCriteriaList([MaxLengthCriteria(1 + NUM_TOKENS), EosTokenCriteria(END)]), 1 + NUM_TOKENS)
    is_guard = [False] * len(processors)
    call = Call(
        prompt, Processors(processors, is_guard), stops, NO_RECORD, do_sample=True, pad_token=PAD, is_ragged=True
    )
    call.in_step, call.is_greedy_at_once = order == "in step", order in ("at once", "settled")
    call.is_bare = order == "settled"
    for index, picker in enumerate(pickers):
        row = ModelRow(
            TableSession(drafts),
            list(PROMPT),
            NUM_TOKENS,
            call=call,
            index=index,
            pad_token=PAD,
            positions=np.arange(1),
            max_position=99,
            vocabulary=VOCABULARY,
            stops=stops,
            picker=picker,
        )
        call.rows.append(row)
    return call


def decode(
    tapes: Sequence[Tokens], table: Table, drafts: Drafts, order: str, k: int
) -> tuple[list[Tokens], Fraction, int]:
    """Run the real loop along one path; returns the texts, the path's probability and the accepted tokens."""
    pickers = [Tape(tape, table) for tape in tapes]
    counts = CountsCalls()
    call = opened(pickers, drafts, [counts], order)
    target = TableTarget(table)
    while live := [row for row in call.rows if not row.ended]:
        step(target, call.rows if call.in_step else live, FixedBudget(k), MeasuredCosts())
    texts = [picker.text for picker in pickers]
    if call.in_step:
        assert counts.lengths == list(range(1, 1 + max(map(len, texts))))
    probability = Fraction(1)
    for picker in pickers:
        probability *= picker.probability
    return texts, probability, sum(row.counters.num_accepted_tokens for row in call.rows)


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
    {
        text: st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=3).map(tuple), min_size=1, max_size=3)
        for text in open_texts
    }
)


@pytest.mark.parametrize("order", ORDERS)
@given(table=tables, drafts=draft_tables)
@settings(max_examples=15, deadline=None)
def test_the_law_of_the_text_is_that_of_plain_decoding_whatever_is_drafted(
    order: str, table: Table, drafts: Drafts
) -> None:
    expected = plain_law(table)
    law: Law = {}
    for text in expected:
        (emitted,), probability, _ = decode([text], table, drafts, order, k=3)
        law[emitted] = law.get(emitted, Fraction(0)) + probability
    assert expected == law
    assert sum(law.values()) == 1


@pytest.mark.parametrize("order", ORDERS)
@given(table=tables, drafts=draft_tables, data=st.data())
@settings(max_examples=10, deadline=None)
def test_rows_of_a_batch_are_independent_and_each_has_the_law_of_plain_decoding(
    order: str, table: Table, drafts: Drafts, data: st.DataObject
) -> None:
    law = plain_law(table)
    firsts = data.draw(st.lists(st.sampled_from(sorted(law)), min_size=4, max_size=4, unique=True))
    for first, second in product(firsts, sorted(law)[::3]):
        texts, probability, _ = decode([first, second], table, drafts, order, k=3)
        assert texts == [first, second]
        assert probability == law[first] * law[second]


def test_the_enumeration_accepts_and_rejects() -> None:
    table: Table = dict.fromkeys(open_texts, (1, 2, 3))
    drafts: Drafts = {text: [(1, 1, 2)] for text in open_texts}
    accepted = {text: decode([text], table, drafts, "row by row", k=3)[2] for text in plain_law(table)}
    assert accepted[(1, 1, 2)] == 3
    assert accepted[(1, 0, 0, 0)] == 1
    assert accepted[(0, 0, 0, 0)] == 0
    drafts = {text: [(1,), (0, 0)] for text in open_texts}
    accepted = {text: decode([text], table, drafts, "row by row", k=3)[2] for text in plain_law(table)}
    assert accepted[(0, 0, 1, 2)] == 1  # no tree with the prompt; then room for two, of which the second comes
    assert accepted[(0, 1, 1, 2)] == 1


@given(table=tables, drafts=draft_tables)
@settings(max_examples=30, deadline=None)
def test_greedy_settled_or_all_at_once_is_greedy_one_by_one(table: Table, drafts: Drafts) -> None:
    text: Tokens = ()
    while len(text) < NUM_TOKENS and END not in text:
        text += (max(range(VOCABULARY), key=lambda token: table[text][token]),)
    emitted = []
    for order in ("settled", "at once", *ORDERS):
        call = opened([Picker(do_sample=False)], drafts, [], order)
        (row,) = call.rows
        while not row.ended:
            step(TableTarget(table), [row], FixedBudget(3), MeasuredCosts())
        emitted.append(tuple(row.emitted))
    assert [text] * 4 == emitted
