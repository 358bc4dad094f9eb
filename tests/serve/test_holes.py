"""Fill in the middle: each family's own tokens, in its own order."""

import asyncio
import copy
from functools import cache
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ngramspec.serve.text.holes import FAMILIES, Marks, prompt_around
from tests.serve.serving import pico, serving


@cache
def pico_with(marks: Marks) -> tuple[Any, Any]:
    """pico, whose tokenizer knows a family's tokens."""
    model, tokenizer = copy.deepcopy(pico())
    tokenizer.add_special_tokens({"additional_special_tokens": list(marks.names)})
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model.resize_token_embeddings(len(tokenizer))
    return model, tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hole_is_marked_in_the_familys_own_tokens(family: str) -> None:
    marks = FAMILIES[family]
    tokenizer = pico_with(marks)[1]
    ids, ends = prompt_around("def f(a):\n    return ", "\n\nprint(f(1))", tokenizer)
    begin, prefix, suffix, middle = tokenizer.convert_tokens_to_ids(["<s>", marks.prefix, marks.suffix, marks.middle])
    before, after = (
        tokenizer(text, add_special_tokens=False).input_ids for text in ("def f(a):\n    return ", "\n\nprint(f(1))")
    )
    assert [begin, prefix, *before, suffix, *after, middle] == ids
    assert ([] if marks.end is None else [tokenizer.convert_tokens_to_ids(marks.end)]) == ends


def test_a_suffix_begins_without_the_blank_that_a_tokenizer_puts_before_a_text() -> None:
    names = ["<s>", "</s>", *FAMILIES["CodeLlama"].names, "▁", "▁a", "a", "b", "☺"]
    tokenizer = Tokenizer(models.Unigram([(name, -1.0) for name in names], unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    ids, _ = prompt_around("a", "ab", fast)
    assert ["▁<PRE>", "▁a", "▁<SUF>", "a", "b", "▁<MID>"] == fast.convert_ids_to_tokens(ids)


@pytest.mark.parametrize("before", ["return a", ""])
def test_a_suffix_is_answered_with_what_the_model_writes_between(before: str) -> None:
    marks = FAMILIES["Qwen-Coder, CodeGemma"]
    model, tokenizer = pico_with(marks)
    ids, _ = prompt_around(before, " + b", tokenizer)
    prompt = torch.tensor([ids])
    made = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False)

    async def ask() -> Any:
        async with serving(lambda: pico_with(marks)) as client:
            return (await client.complete(before, suffix=" + b", max_tokens=20)).json

    reply = asyncio.run(ask())
    assert tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True) == reply["choices"][0]["text"]
    assert len(ids) == reply["usage"]["prompt_tokens"]


def test_a_familys_own_end_ends_what_fills_the_hole() -> None:
    marks = FAMILIES["CodeLlama"]
    end = pico_with(marks)[1].convert_tokens_to_ids(marks.end)

    async def ask() -> Any:
        async with serving(lambda: pico_with(marks)) as client:
            forced: Any = {"logit_bias": {str(end): 100}, "max_tokens": 20}
            filled = await client.complete("return a", suffix=" + b", **forced)
            return filled.json, (await client.complete("return a", **forced)).json

    filled, continued = asyncio.run(ask())
    assert ("", "stop", 1) == (
        filled["choices"][0]["text"],
        filled["choices"][0]["finish_reason"],
        filled["usage"]["completion_tokens"],
    )
    assert ("length", 20) == (continued["choices"][0]["finish_reason"], continued["usage"]["completion_tokens"])
