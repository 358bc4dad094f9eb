"""Outlines' and xgrammar's processors: known by class, rebuilt as matchers that steer drafts, and never trusted."""

import json
import warnings
from typing import Any

import numpy as np
import outlines
import pytest
import torch

from ngramspec import FixedBudget, Guard, GuardWarning, Speculator
from ngramspec.guards.types import unpacked
from ngramspec.hf.choice.adopting import adopted, source_of
from ngramspec.testing import OracleDrafter
from tests.hf.choice.test_stateful_processors import BACKENDS, GRAMMARS, TOKENIZER, fresh_processor, in_all_ways, writer
from tests.hf.comparing import assert_accepted_and_rolled_back, compare
from tests.hf.drafters import RandomDrafter
from tests.hf.models import EOS, padded_prompts

PROCESSORS = [*BACKENDS, "xgrammar.contrib"]
NUM_TOKENS = len(TOKENIZER)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Error in LLMatcher"),
    pytest.mark.filterwarnings("ignore:outlines-core drops tokens"),
]


@pytest.mark.parametrize("backend", PROCESSORS)
@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("seed", range(5))
def test_the_matcher_masks_as_the_processor_does(backend: str, grammar: str, seed: int) -> None:
    processor = fresh_processor(backend, grammar)
    compiled = adopted(processor, 0, NUM_TOKENS)
    assert compiled is not None
    matcher = compiled.matcher([EOS])
    generator = torch.Generator().manual_seed(seed)
    text = torch.tensor([[2]])
    for _ in range(40):
        scores = processor(text, torch.zeros(1, NUM_TOKENS))
        bits = np.zeros((1, -(-NUM_TOKENS // 32)), np.int32)
        matcher.fill([], bits)
        allowed = (scores[0] > -torch.inf).nonzero().flatten().tolist()
        assert allowed == np.flatnonzero(unpacked(bits)[0]).tolist()
        token = allowed[int(torch.randint(len(allowed), (1,), generator=generator))]
        matcher.advance([token])
        if token == EOS:
            return
        text = torch.cat([text, torch.tensor([[token]])], dim=1)


def test_a_schema_is_foreseen_where_the_processor_still_has_it() -> None:
    source = source_of(fresh_processor("llguidance", "json"))
    assert source is not None
    assert "object" == json.loads(source.text)["type"]
    assert source_of(fresh_processor("llguidance", "regex")) is None
    assert source_of(fresh_processor("outlines_core", "json")) is None
    assert source_of(object()) is None


@pytest.mark.parametrize("backend", PROCESSORS)
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_an_adopted_grammar_keeps_drafts_within_what_it_allows(backend: str, grammar: str) -> None:
    arguments: dict[str, Any] = {"max_new_tokens": 45, "eos_token_id": EOS}
    prompts = padded_prompts(1, seed=2, vocabulary=NUM_TOKENS)
    spec = Speculator(RandomDrafter(NUM_TOKENS), FixedBudget(10))
    writer().generate(
        **prompts, **arguments, logits_processor=[fresh_processor(backend, grammar)], custom_generate=spec
    )
    blind = Speculator(RandomDrafter(NUM_TOKENS), FixedBudget(10))
    writer().generate(**prompts, **arguments, custom_generate=blind)
    for each, at_most in ((spec, 0.1), (blind, 1.0)):  # random tokens, nearly all of which the grammar refuses
        total = each.stats.total
        assert total.num_draft_tokens - total.num_accepted_tokens <= at_most * 10 * total.target_passes


@pytest.mark.parametrize("backend", PROCESSORS)
@in_all_ways
def test_a_used_processor_is_left_alone_and_stays_exact(backend: str, batch: int, do_sample: bool) -> None:
    """One that has seen a text of its own masks as it likes; the text is still that of plain decoding."""

    def used() -> Any:
        processor = fresh_processor(backend, "regex")
        processor(torch.full((batch, 3), 2), torch.zeros(batch, NUM_TOKENS))
        return processor

    assert adopted(used(), 0, NUM_TOKENS) is None
    if backend == "xgrammar.contrib":
        return  # its second call asserts that the token before it was one of its own: plain decoding fails too
    prompts = padded_prompts(batch, seed=2, vocabulary=NUM_TOKENS)
    arguments = {"max_new_tokens": 20, "eos_token_id": EOS, "do_sample": do_sample}
    if backend == "llguidance":
        compare(writer(), prompts, lambda: {**arguments, "logits_processor": [used()]})


def outlines_core_processor(pattern: str) -> Any:
    backend = BACKENDS["outlines_core"](outlines.from_transformers(writer(), TOKENIZER))
    return backend.get_regex_logits_processor(pattern)


def test_a_warning_says_where_outlines_core_may_allow_less_than_its_pattern() -> None:
    with pytest.warns(GuardWarning, match=r"does not allow 1\.5"):
        adopted(outlines_core_processor(r"[0-9]+(\.[0-9]+)?"), 0, NUM_TOKENS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adopted(fresh_processor("outlines_core", "json"), 0, NUM_TOKENS)


def test_a_subclass_is_a_stranger() -> None:
    processor = fresh_processor("llguidance", "regex")
    processor.__class__ = type("Mine", (type(processor),), {})
    assert adopted(processor, 0, NUM_TOKENS) is None


def test_a_guide_that_loses_the_text_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor masks; a matcher that thinks otherwise must neither end the row nor change it."""
    arguments: dict[str, Any] = {"max_new_tokens": 30, "eos_token_id": EOS}
    prompts = padded_prompts(1, seed=2, vocabulary=NUM_TOKENS)
    plain = writer().generate(**prompts, **arguments)
    wrong = Guard.regex("l+", TOKENIZER)
    monkeypatch.setattr("ngramspec.hf.rows.opening.guides_of", lambda *arguments: [wrong.matcher([EOS])])
    spec = Speculator(OracleDrafter(plain[:, 9:].tolist(), NUM_TOKENS, corrupted=0.5))
    assert plain.tolist() == writer().generate(**prompts, **arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)
