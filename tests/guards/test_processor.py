"""`guard.processor()` in plain `generate()`: every text is complete, or cut off by the limit on its length."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LogitsProcessor

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, RowGuards, Vocabulary
from ngramspec.guards.processor import masked
from tests.hf.models import EOS, PAD, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("0123456789")
DATE = Guard.regex(r"[0-9]{4}(0[1-9]|1[0-2])", TOKENIZER)
EVEN = Guard.regex("([02468][13579]){1,3}", TOKENIZER)
DIGITS = TOKENIZER.convert_tokens_to_ids(list("0123456789"))
ROOM = 12


def texts(model: Any, guards: Guard | RowGuards, batch: int = 1, **settings: Any) -> list[str]:
    """What comes of one call, each row up to its end of sequence."""
    torch.manual_seed(0)
    prompts = padded_prompts(batch)
    settings = {"max_new_tokens": ROOM, "eos_token_id": EOS, **settings}
    out = model.generate(**prompts, **settings, logits_processor=[guards.processor(EOS)])
    return [written(row) for row in out[:, prompts["input_ids"].shape[1] :].tolist()]


def written(row: Sequence[int]) -> str:
    end = row.index(EOS) if EOS in row else len(row)
    return str(TOKENIZER.decode([token for token in row[:end] if token != PAD]))


@pytest.mark.parametrize("sampling", [{"do_sample": False}, {"do_sample": True}, {"do_sample": True, "top_k": 2}])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("guard", [DATE, EVEN], ids=["date", "even"])
def test_every_row_is_whole_greedy_or_sampled(guard: Guard, batch: int, sampling: dict[str, Any]) -> None:
    found = texts(tiny("llama"), guard, batch, **sampling)
    assert batch == len(found)
    assert all(guard.accepts(text) for text in found)


def test_rows_end_at_different_times() -> None:
    lengths = {len(text) for seed in range(4) for text in texts(tiny("llama"), EVEN, 4 + seed, do_sample=True)}
    assert len(lengths) > 1


def test_a_text_that_is_cut_is_the_head_of_a_whole_one() -> None:
    (found,) = texts(tiny("llama"), DATE, max_new_tokens=3)
    assert 3 == len(found)
    assert DATE.accepts(found + "001")


@pytest.mark.parametrize("sampling", [{"do_sample": False}, {"do_sample": True}])
def test_each_row_may_have_its_own_guard_or_none(sampling: dict[str, Any]) -> None:
    guards = Guard.per_row([DATE, None, EVEN])
    first, free, third = texts(tiny("llama"), guards, 3, **sampling)
    assert DATE.accepts(first)
    assert EVEN.accepts(third)
    assert free


def test_free_rows_are_as_they_would_be_without_a_guard() -> None:
    model, prompts = tiny("llama"), padded_prompts(3)
    settings = {"max_new_tokens": ROOM, "eos_token_id": EOS, "do_sample": False}
    plain = model.generate(**prompts, **settings)
    guarded = model.generate(**prompts, **settings, logits_processor=[Guard.per_row([DATE, None, DATE]).processor()])
    columns = min(plain.shape[1], guarded.shape[1])
    assert plain[1, :columns].tolist() == guarded[1, :columns].tolist()


def test_a_guard_serves_all_the_sequences_of_its_prompt() -> None:
    found = texts(tiny("llama"), Guard.per_row([DATE, EVEN]), 2, do_sample=True, num_return_sequences=3)
    assert all(DATE.accepts(text) for text in found[:3])
    assert all(EVEN.accepts(text) for text in found[3:])


def test_guards_must_be_one_for_all_or_one_per_prompt() -> None:
    with pytest.raises(GuardError, match="a batch needs a guard per prompt, got 2 guards for 3 rows"):
        texts(tiny("llama"), Guard.per_row([DATE, EVEN]), 3)


def test_a_processor_serves_one_call() -> None:
    model, prompts = tiny("llama"), padded_prompts(1)
    processor = DATE.processor(EOS)
    model.generate(**prompts, max_new_tokens=2, logits_processor=[processor])
    with pytest.raises(GuardError, match=r"serves one generate\(\) call"):
        model.generate(**prompts, max_new_tokens=2, logits_processor=[processor])


def test_beams_that_reorder_rows_are_refused() -> None:
    guard = Guard.regex("[0-9]+", TOKENIZER)
    with pytest.raises(GuardError, match="greedy or sampled, without beams, got another text"):
        texts(tiny("llama"), guard, num_beams=4)


@pytest.mark.parametrize("do_sample", [False, True])
@pytest.mark.parametrize(
    "forced", [{"forced_eos_token_id": EOS, "max_new_tokens": 3}, {"suppress_tokens": DIGITS}, {"min_new_tokens": 9}]
)
def test_if_another_processor_leaves_no_legal_token_it_is_an_error(forced: dict[str, Any], do_sample: bool) -> None:
    guard = Guard.regex("[0-9]{4}", TOKENIZER)
    with pytest.raises(GuardError, match="some token that the guard allows must be left to choose, got none") as raised:
        texts(tiny("llama"), guard, do_sample=do_sample, **forced)
    assert 0 == raised.value.row


def test_a_guard_itself_in_plain_decoding_names_its_processor() -> None:
    with pytest.raises(GuardError, match=r"pass guard.processor\(\) there"):
        tiny("llama").generate(**padded_prompts(1), max_new_tokens=2, logits_processor=[DATE])


class Undo(LogitsProcessor):
    """Another processor, after the guard, that wants one token and no other."""

    def __init__(self, token: int, row: int = 0) -> None:
        self.token, self.row = token, row

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        scores[self.row] = -torch.inf
        scores[self.row, self.token] = 0.0
        return scores


@pytest.mark.parametrize("batch", [1, 3])
def test_a_text_that_another_processor_takes_out_of_the_guard_is_not_gone_on_with(batch: int) -> None:
    guard = Guard.regex("[0-4]{6}", TOKENIZER)
    nine = TOKENIZER.convert_tokens_to_ids("9")
    with pytest.raises(GuardError, match=f"token {nine} .*is not allowed") as caught:
        tiny("llama").generate(
            **padded_prompts(batch),
            max_new_tokens=ROOM,
            logits_processor=[guard.processor(EOS), Undo(nine, row=batch - 1)],
        )
    assert batch - 1 == caught.value.row
    assert [] == caught.value.tokens


def test_an_end_that_is_forced_too_early_raises_in_a_row_of_its_own() -> None:
    with pytest.raises(GuardError, match="is not allowed"):
        tiny("llama").generate(
            **padded_prompts(1), max_new_tokens=ROOM, logits_processor=[DATE.processor(EOS), Undo(EOS)]
        )


def test_rows_that_a_stop_string_ends_are_padded_and_the_others_go_on() -> None:
    guard = Guard.regex("([02468][13579]){1,6}", TOKENIZER)
    for seed in range(6):
        torch.manual_seed(seed)
        prompts = padded_prompts(4, seed=seed)
        out = tiny("llama").generate(
            **prompts,
            max_new_tokens=ROOM,
            eos_token_id=EOS,
            do_sample=True,
            stop_strings=["1", "7"],
            tokenizer=TOKENIZER,
            logits_processor=[guard.processor(EOS)],
        )
        for row in out[:, prompts["input_ids"].shape[1] :].tolist():
            assert is_head(guard, written(row))


def is_head(guard: Guard, text: str) -> bool:
    """Whether `text` can be gone on with to a whole one."""
    matcher = guard.matcher()
    with matcher.lookahead() as lookahead:
        return all(lookahead.push(token) for token in TOKENIZER.encode(text, add_special_tokens=False))


def test_a_text_that_the_vocabulary_cannot_continue_is_an_error_that_holds_the_text() -> None:
    guard = Guard.regex("12x", TOKENIZER)
    with pytest.raises(GuardError, match="some token must be allowed next, got none") as caught:
        texts(tiny("llama"), guard)
    assert (0, "12") == (caught.value.row, caught.value.text)


@pytest.mark.parametrize("columns", [16, 70])
def test_logits_wider_than_the_vocabulary_are_masked_to_the_end(columns: int) -> None:
    assert all(DATE.accepts(text) for text in texts(tiny("llama", vocabulary=columns), DATE, 3, do_sample=True))


@pytest.mark.parametrize(("num_tokens", "columns"), [(3, 3), (3, 2), (3, 40), (33, 33), (33, 64), (33, 20), (64, 64)])
def test_masked_keeps_what_is_allowed_and_nothing_else(num_tokens: int, columns: int) -> None:
    allowed = [token for token in range(num_tokens) if token % 3 != 1]
    vocabulary = Vocabulary([bytes([ord("0") + token]) for token in range(num_tokens)])
    guard = Guard.choice([chr(ord("0") + token) for token in allowed], vocabulary)
    bits = np.zeros((2, -(-num_tokens // 32)), np.int32)
    guard.matcher().fill((), bits[:1])
    scores = torch.arange(2.0 * columns).reshape(2, columns)
    out = masked(scores, bits)
    assert [token for token in allowed if token < columns] == torch.isfinite(out[0]).nonzero().flatten().tolist()
    assert not torch.isfinite(out[1]).any()
    assert torch.equal(scores, torch.arange(2.0 * columns).reshape(2, columns))
    kept = torch.isfinite(out)
    assert torch.equal(scores[kept], out[kept])
