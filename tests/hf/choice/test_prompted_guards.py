"""Markers that a prompt opens or closes, and budgets: the text of plain decoding, whatever is drafted."""

import functools
import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import LogitsProcessor

from ngramspec import Guard
from ngramspec.hf.choice.guards import with_processors
from ngramspec.stats import Counters
from tests.hf.comparing import Comparison, assert_accepted_and_rolled_back, compare
from tests.hf.models import EOS, PAD, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdexyz0123Ġ")  # the last one is how byte-level tokenizers write a blank
PAIRS = r"([ab][01]){4,8}"
GUARD = Guard.regex(PAIRS, TOKENIZER)
GUARDS = {
    "after": GUARD.after("xyx"),
    "between": GUARD.between("xyx", "yx"),
    "budget": GUARD.after("xyx", max_tokens=6),
    "nested": GUARD.between("xyx", "yx").after("zz", max_tokens=9),
}
PROMPTS = ("abcxyx", "czzxyx ", "zzexyxa1b", "exxy", "bdzz", "d", "xyxdezz xy")
"""Closed, opened, opened and begun, half of a marker, of the other one, none of it, an earlier one."""

pytestmark = pytest.mark.filterwarnings("ignore:what a prompt has after")
in_all_ways = pytest.mark.parametrize("do_sample", [False, True], ids=["greedy", "sampled"])


@functools.cache
def writer() -> Any:
    return tiny("llama", vocabulary=len(TOKENIZER))


class Fewer(LogitsProcessor):
    """Lets the model prefer what gets on: a tiny one would write for ever."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        scores[:, TOKENIZER.convert_tokens_to_ids(["x", "y", "z"])] += 2
        return scores


def batch_of(prompts: tuple[str, ...], side: str) -> dict[str, Any]:
    """`input_ids` and `attention_mask` of `prompts`, padded at `side`."""
    encoded = [TOKENIZER(prompt).input_ids for prompt in prompts]
    width = max(map(len, encoded))
    rows, masks = [], []
    for ids in encoded:
        fill = [PAD] * (width - len(ids))
        rows.append(fill + ids if side == "left" else ids + fill)
        masks.append([0] * len(fill) + [1] * len(ids) if side == "left" else [1] * len(ids) + [0] * len(fill))
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(masks)}


def guarded(prompts: tuple[str, ...], guard: Any, side: str = "left", **more: Any) -> Comparison:
    arguments = {"max_new_tokens": 50, "eos_token_id": EOS, **more}
    return compare(
        writer(),
        batch_of(prompts, side),
        lambda: {**arguments, "logits_processor": [Fewer(), guard.processor(EOS)]},
        drafted=lambda: {**arguments, "logits_processor": [Fewer(), guard]},
    )


def texts(comparison: Comparison) -> list[str]:
    emitted = comparison.speculative[:, comparison.prompt_length :]
    return list(TOKENIZER.batch_decode(emitted, skip_special_tokens=True))


@pytest.mark.parametrize("kind", GUARDS)
@pytest.mark.parametrize("side", ["left", "right"])
@in_all_ways
def test_rows_with_prompts_that_open_and_close_markers_equal_plain(kind: str, side: str, do_sample: bool) -> None:
    comparison = guarded(PROMPTS, GUARDS[kind], side, do_sample=do_sample)
    assert 0 < comparison.spec.stats.total.num_accepted_tokens


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize("kind", GUARDS)
@pytest.mark.parametrize("prompt", PROMPTS)
@in_all_ways
def test_a_prompt_that_opens_a_marker_equals_plain_with_drafts_rolled_back(
    kind: str, prompt: str, do_sample: bool
) -> None:
    assert_accepted_and_rolled_back(guarded((prompt,), GUARDS[kind], do_sample=do_sample).spec)


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_row_goes_on_from_its_own_prompt(side: str) -> None:
    closed, opened, begun, half, _, none, _ = texts(guarded(PROMPTS, GUARDS["budget"], side))
    assert re.fullmatch(PAIRS, closed)
    assert re.fullmatch(PAIRS, opened)
    assert re.fullmatch(PAIRS, "a1b" + begun)
    for prompt, text in (("xy", half), ("", none)):
        thought, _, answer = (prompt + text).partition("xyx")
        assert re.fullmatch(PAIRS, answer)
        assert len(thought) <= 6 + len(prompt)


def test_any_prompt_equals_plain() -> None:
    counters = Counters()
    pieces = st.sampled_from(["xyx", "xy", "x", "zz", "z", "a0", "b", " ", "d", "yx"])

    @given(st.lists(pieces, min_size=1, max_size=6), st.sampled_from(sorted(GUARDS)), st.booleans(), st.integers(1, 40))
    @settings(deadline=None, max_examples=40)
    def check(prompt: list[str], kind: str, do_sample: bool, max_new_tokens: int) -> None:
        more: dict[str, Any] = {"do_sample": do_sample, "max_new_tokens": max_new_tokens}
        counters.add(guarded(("".join(prompt),), GUARDS[kind], **more).spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


def test_plain_decoding_with_guards_for_enabled_models_sees_the_prompt() -> None:
    prompts = batch_of(PROMPTS[:3], "left")
    processors = with_processors([GUARDS["after"]], [EOS])
    out = writer().generate(**prompts, max_new_tokens=30, eos_token_id=EOS, logits_processor=processors)
    found = TOKENIZER.batch_decode(out[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
    assert [True] * 3 == [
        re.fullmatch(PAIRS, head + text) is not None for head, text in zip(("", "", "a1b"), found, strict=True)
    ]
