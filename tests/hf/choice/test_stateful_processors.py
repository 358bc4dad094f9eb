"""Processors that keep state and know nothing about speculation: other projects' grammars, guidance, a hostile one."""

import copy
import functools
import json
import random
import re
from typing import Any

import outlines
import pytest
import torch
import xgrammar
import xgrammar.contrib.hf
from outlines.backends.llguidance import LLGuidanceBackend
from outlines.backends.outlines_core import OutlinesCoreBackend
from outlines.backends.xgrammar import XGrammarBackend
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessor

from ngramspec import FixedBudget, Speculator
from ngramspec.testing import OracleDrafter
from tests.hf.choice.constraints import REGEX, SCHEMA
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.models import EOS, FAMILIES, PAD, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer('{}":,abcdeflnorstu0123456789')
BACKENDS: dict[str, Any] = {
    "outlines_core": OutlinesCoreBackend,
    "llguidance": LLGuidanceBackend,
    "xgrammar": XGrammarBackend,
}
GRAMMARS = ["regex", "json"]

in_all_ways = pytest.mark.parametrize(
    ("batch", "do_sample"),
    [(1, False), (1, True), (3, False), (3, True)],
    ids=["alone-greedy", "alone-sampled", "batch-greedy", "batch-sampled"],
)
# llguidance says of every finished row that it was fed padding; so it does in plain decoding.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Error in LLMatcher"),
    pytest.mark.filterwarnings("ignore:outlines-core drops tokens"),
]


@functools.cache
def writer() -> Any:
    return tiny("llama", vocabulary=len(TOKENIZER))


@functools.cache
def unused_processor(backend: str, grammar: str) -> Any:
    if backend == "xgrammar.contrib":
        info = xgrammar.TokenizerInfo.from_huggingface(TOKENIZER, vocab_size=len(TOKENIZER))
        compiler = xgrammar.GrammarCompiler(info)
        compiled = (
            compiler.compile_regex(REGEX) if grammar == "regex" else compiler.compile_json_schema(json.dumps(SCHEMA))
        )
        return xgrammar.contrib.hf.LogitsProcessor(compiled)
    maker = BACKENDS[backend](outlines.from_transformers(writer(), TOKENIZER))
    if grammar == "regex":
        return maker.get_regex_logits_processor(REGEX)
    return maker.get_json_schema_logits_processor(json.dumps(SCHEMA))


def fresh_processor(backend: str, grammar: str) -> Any:
    """An unused processor, without compiling the grammar again."""
    fresh = copy.copy(unused_processor(backend, grammar))
    if backend == "xgrammar.contrib":
        fresh.matchers = []  # the one thing that is filled in place
    return fresh


def is_valid(text: str, grammar: str) -> bool:
    if grammar == "regex":
        return re.fullmatch(REGEX, text) is not None
    return {"a", "b"} <= set(json.loads(text)) <= {"a", "b", "n"}


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize("backend", [*BACKENDS, "xgrammar.contrib"])
@pytest.mark.parametrize("grammar", GRAMMARS)
@in_all_ways
def test_constrained_text_equals_plain(backend: str, grammar: str, batch: int, do_sample: bool) -> None:
    comparison = compare(
        writer(),
        padded_prompts(batch, seed=2, vocabulary=len(TOKENIZER)),
        lambda: {
            "max_new_tokens": 45,
            "eos_token_id": EOS,
            "do_sample": do_sample,
            "logits_processor": [fresh_processor(backend, grammar)],
        },
    )
    assert_accepted_and_rolled_back(comparison.spec)
    emitted = comparison.speculative[:, comparison.prompt_length :]
    for row, text in zip(emitted.tolist(), TOKENIZER.batch_decode(emitted, skip_special_tokens=True), strict=True):
        assert EOS not in row or is_valid(text, grammar)
    assert do_sample <= any(EOS in row for row in emitted.tolist()), "no row ended: nothing was seen of a full text"


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize("backend", BACKENDS)
def test_outlines_generates_with_a_speculator(backend: str) -> None:
    model = outlines.from_transformers(writer(), TOKENIZER)
    arguments: dict[str, Any] = {"backend": backend, "max_new_tokens": 45, "eos_token_id": EOS}
    regex = outlines.types.Regex(REGEX)
    plain = model("ab{:01}", regex, **arguments)
    assert is_valid(plain, "regex")
    drafter = OracleDrafter([[*TOKENIZER(plain).input_ids, EOS]], len(TOKENIZER), corrupted=1.0)
    spec = Speculator(drafter, FixedBudget(10))
    assert plain == model("ab{:01}", regex, custom_generate=spec, **arguments)
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("with_negative_prompt", [False, True])
@in_all_ways
def test_guided_text_equals_plain(family: str, with_negative_prompt: bool, batch: int, do_sample: bool) -> None:
    negative = padded_prompts(batch, 6, seed=9)
    more = {"negative_prompt_ids": negative["input_ids"], "negative_prompt_attention_mask": negative["attention_mask"]}
    comparison = compare(
        tiny(family),
        padded_prompts(batch, seed=1),
        lambda: limits(guidance_scale=1.5, do_sample=do_sample, **(more if with_negative_prompt else {})),
    )
    assert_accepted_and_rolled_back(comparison.spec)


class NastyProcessor(LogitsProcessor):
    """Counts its calls, keeps a state per row, draws from a generator, writes into its arguments, and forgets nothing.

    `calls`: the text as it was, the text's tensor as it may be now, and the scores, of every call.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[list[list[int]], Tensor, Tensor]] = []
        self.random = random.Random(3)
        self.bias: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.calls.append((input_ids.tolist(), input_ids, scores.clone()))
        if self.bias is None:
            self.bias = torch.zeros_like(scores)
        for row, last in enumerate(input_ids[:, -1].tolist()):
            self.bias[row, (last + row + len(self.calls)) % scores.shape[1]] += self.random.random() - 0.5
            scores[row, self.random.randrange(2, scores.shape[1])] = -torch.inf
        self.bias *= 0.9
        scores += self.bias
        scores += self.bias.flip(0) * 0.1
        return scores


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("end", [[EOS, 5], None], ids=["ends", "endless"])
@in_all_ways
def test_a_nasty_processor_gets_the_calls_of_plain_decoding(
    family: str, end: list[int] | None, batch: int, do_sample: bool
) -> None:
    processors: list[NastyProcessor] = []

    def arguments() -> dict[str, Any]:
        processors.append(NastyProcessor())
        return {
            "max_new_tokens": 36,
            "eos_token_id": end,
            "do_sample": do_sample,
            "top_k": 8,
            "no_repeat_ngram_size": 3,
            "logits_processor": [processors[-1]],
        }

    comparison = compare(tiny(family), padded_prompts(batch, seed=7), arguments)
    assert_accepted_and_rolled_back(comparison.spec)
    plain, speculative = (processor.calls for processor in processors[-2:])
    assert [text for text, _, _ in plain] == [text for text, _, _ in speculative]
    assert [text for text, _, _ in speculative] == [tensor.tolist() for _, tensor, _ in speculative]
    for (_, _, expected), (_, _, actual) in zip(plain, speculative, strict=True):
        assert torch.allclose(expected, actual, atol=1e-4), "rows that have finished must read padding, as plain's do"
    if batch > 1 and end is not None:
        assert (comparison.plain[:, comparison.prompt_length :] == PAD).any(), "no row was padded: nothing was seen"


def test_a_nasty_processor_sees_one_batch_whatever_is_drafted_elsewhere() -> None:
    """In a batch of strangers the pass ends where the first row does, so rows are never apart when it is called."""
    processor = NastyProcessor()
    tiny("llama").generate(
        **padded_prompts(4, seed=7),
        **limits(logits_processor=[processor]),
        custom_generate=Speculator(),
    )
    lengths = [len(text[0]) for text, _, _ in processor.calls]
    assert lengths == list(range(9, 9 + len(lengths)))
    assert all(len({len(row) for row in text}) == 1 for text, _, _ in processor.calls)
