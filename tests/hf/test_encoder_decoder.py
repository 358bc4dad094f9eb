"""Encoder-decoder models: the text of plain `generate()`, with drafts looked up in the encoder's input."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LEDConfig, LEDForConditionalGeneration
from transformers.generation.stopping_criteria import StoppingCriteria

from ngramspec import FixedBudget, PromptLookup, Speculator
from ngramspec.drafting import PromptLookupSession, TokenArray
from ngramspec.hf.rows.row import REACH
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, oracle
from tests.hf.models import EOS, PAD, VOCABULARY, settled
from tests.hf.seq2seq import SEQ2SEQ, sources, tiny_seq2seq

VARIED: dict[str, Any] = {"max_new_tokens": 40, "min_new_tokens": 12, "no_repeat_ngram_size": 2}
"""A random model ends at once, or says one token over and over, unless it is kept from it."""


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("family", SEQ2SEQ)
def test_the_text_is_that_of_plain_decoding(family: str, batch: int) -> None:
    model = tiny_seq2seq(family)
    sampled, repetitive = {**VARIED, "do_sample": True, "temperature": 1.5}, {**VARIED, "no_repeat_ngram_size": 0}
    for arguments in (VARIED, sampled, repetitive):
        assert_accepted_and_rolled_back(compare(model, sources(batch), arguments.copy).spec)


def test_texts_depend_on_their_sources_and_end_at_different_places() -> None:
    for family in SEQ2SEQ:
        texts = tiny_seq2seq(family).generate(**sources(4), **VARIED).tolist()
        assert 4 == len({tuple(text) for text in texts}), family


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_any_drafter_and_any_distance_between_rows_leaves_the_text_unchanged(family: str) -> None:
    model, counters = tiny_seq2seq(family), Counters()

    @given(
        batch=st.integers(1, 5),
        seed=st.integers(0, 99),
        right=st.lists(st.booleans(), min_size=5, max_size=5),
        max_draft=st.integers(1, 2 * REACH),
    )
    @settings(max_examples=12, deadline=None)
    def check(batch: int, seed: int, right: list[bool], max_draft: int) -> None:
        prompts = sources(batch, seed=seed)
        plain = model.generate(**prompts, **VARIED)
        # Some rows are drafted rightly and run ahead, others wrongly and are overtaken.
        emitted = [row if good else [PAD] * 40 for row, good in zip(plain[:, 1:].tolist(), right, strict=False)]
        spec = Speculator(OracleDrafter(emitted, VOCABULARY, corrupted=0.1), FixedBudget(max_draft))
        assert plain.tolist() == model.generate(**prompts, **VARIED, custom_generate=spec).tolist()
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


def test_a_row_runs_ahead_of_the_slowest_by_as_much_as_is_promised() -> None:
    model, prompts = tiny_seq2seq("bart"), sources(2)
    arguments = {"max_new_tokens": 40, "no_repeat_ngram_size": 2, "eos_token_id": None, "pad_token_id": PAD}
    plain = model.generate(**prompts, **arguments)
    emitted = [plain[0, 1:].tolist(), [PAD] * 40]
    spec = Speculator(OracleDrafter(emitted, VOCABULARY, corrupted=0.0), FixedBudget(4))
    assert plain.tolist() == model.generate(**prompts, **arguments, custom_generate=spec).tolist()
    # The slow row takes 40 passes less what is accepted by chance; the fast one some 8, for it need not wait.
    total = spec.stats.total
    assert total.target_passes < 40 + 40 * 0.6


class _NotesReferences(PromptLookup):
    """Prompt lookup that keeps what it was given to copy from."""

    def __init__(self) -> None:
        self.seen: list[list[list[int]]] = []

    def open(self, segment: str | None = None, references: Any = ()) -> PromptLookupSession:
        self.seen.append([reference.tolist() for reference in references])
        return super().open(segment, references)


def test_rows_may_copy_from_what_their_encoder_read_without_its_padding() -> None:
    model, drafter = tiny_seq2seq("t5"), _NotesReferences()
    prompts = sources(2)
    settings = {"max_new_tokens": 5, "do_sample": True, "num_return_sequences": 2}
    model.generate(**prompts, **settings, custom_generate=Speculator(drafter))
    ids, masks = prompts["input_ids"], prompts["attention_mask"].bool()
    real = [text[mask].tolist() for text, mask in zip(ids, masks, strict=True)]
    assert [[real[0]], [real[0]], [real[1]], [real[1]]] == drafter.seen


def test_a_decoder_has_no_references() -> None:
    from tests.hf.models import padded_prompts, tiny

    drafter = _NotesReferences()
    tiny("llama").generate(**padded_prompts(2), max_new_tokens=5, custom_generate=Speculator(drafter))
    assert [[], []] == drafter.seen


def test_an_answer_that_copies_its_source_takes_fewer_passes_because_of_the_source() -> None:
    """The drafter, asked as the loop asks it: the decoder's text alone gives nothing to copy on a first mention."""
    source: TokenArray = np.arange(2, 60, dtype=np.int32)
    with_source, without = PromptLookup().open(None, [source]), PromptLookup().open()
    for session in (with_source, without):
        session.extend(np.array([PAD, 20], np.int32))
    assert list(range(21, 29)) == with_source.propose(8).tokens.tolist()
    assert [] == without.propose(8).tokens.tolist()


def test_what_the_encoder_reads_may_be_given_ready_made() -> None:
    model, prompts = tiny_seq2seq("bart"), sources(2)
    made = model.get_encoder()(**prompts)
    arguments = {"encoder_outputs": made, "attention_mask": prompts["attention_mask"], **VARIED}
    plain = model.generate(**arguments)
    for drafter in (OracleDrafter(plain[:, 1:].tolist(), VOCABULARY), PromptLookup()):
        spec = Speculator(drafter)
        assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()
        assert spec.stats.total.num_draft_tokens > 0


def test_an_answer_may_start_with_tokens_of_the_callers_padded_or_not() -> None:
    model, prompts = tiny_seq2seq("mbart"), sources(2)
    starts = torch.tensor([[PAD, PAD, 5, 6], [PAD, 7, 8, 9]])
    for mask in (None, torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])):
        arguments = {**prompts, "decoder_input_ids": starts, "decoder_attention_mask": mask, **VARIED}
        plain = model.generate(**arguments)
        spec = Speculator(OracleDrafter(plain[:, 4:].tolist(), VOCABULARY))
        assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()
        assert_accepted_and_rolled_back(spec)


def test_drafts_never_cross_the_last_position_that_the_decoder_knows() -> None:
    model = tiny_seq2seq("bart")
    arguments = {"max_length": 160, "eos_token_id": None, "pad_token_id": PAD}
    plain = model.generate(**sources(1), **arguments)
    spec = oracle(plain, 1, max_draft=50)
    assert plain.tolist() == model.generate(**sources(1), **arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


def test_the_configuration_of_a_summariser_is_kept() -> None:
    """What summarisation models are set to, but for beams."""
    model = tiny_seq2seq("bart")
    arguments = {
        "max_length": 40,
        "min_length": 12,
        "no_repeat_ngram_size": 3,
        "forced_bos_token_id": 4,
        "forced_eos_token_id": EOS,
        "encoder_no_repeat_ngram_size": 4,
        "length_penalty": 2.0,
    }
    for batch in (1, 3):
        assert_accepted_and_rolled_back(compare(model, sources(batch), arguments.copy).spec)


class _EndsAt21(StoppingCriteria):
    """A criterion of a class that is not known to limit the length."""

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), input_ids.shape[1] >= 21)


def test_a_decoder_with_a_limit_of_its_own_is_never_drafted_beyond_it() -> None:
    """LED's decoder knows fewer positions than its encoder; a criterion ends the text just before the last one."""
    sizes: dict[str, Any] = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1}
    heads: dict[str, Any] = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "attention_window": 4}
    limits: dict[str, Any] = {"max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 24}
    tokens: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "decoder_start_token_id": PAD}
    model = settled(LEDForConditionalGeneration(LEDConfig(**tokens, **sizes, **heads, **limits)), seed=3).float()
    arguments: dict[str, Any] = {"max_new_tokens": 60, "eos_token_id": None, "num_beams": 1}
    arguments["stopping_criteria"] = [_EndsAt21()]
    plain = model.generate(**sources(1), **arguments)
    known = [*plain[0, 1:].tolist(), *[2] * 40]
    for seed in range(6):
        spec = Speculator(OracleDrafter([known], VOCABULARY, seed=seed, corrupted=0.0), FixedBudget(14))
        assert plain.tolist() == model.generate(**sources(1), **arguments, custom_generate=spec).tolist()
        assert spec.stats.total.num_accepted_tokens > 0
