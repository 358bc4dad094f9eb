"""Sparse attention that ranks tokens by an indexer is drafted for as long as it leaves none out."""

from typing import Any

import pytest
import torch

from ngramspec import FixedBudget, ModelEngine, NgramspecWarning, RefusedError, Speculator
from ngramspec.hf.facts.layers import most_ranked
from ngramspec.hf.seam import CACHE, INDEXED_LAYERS, DynamicCache, text_config
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.families.build import build
from tests.families.catalogue import family
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.drafters import RandomDrafter
from tests.hf.models import padded_prompts, settled

pytestmark = pytest.mark.skipif(not INDEXED_LAYERS, reason="not tried with this transformers")

VOCABULARY, MOST = 32, 60


FAMILIES = {"deepseek_v32": "index_topk", "qwen4_exp_text": "indexer_budget"}
"""Families, and what their configurations call the number of tokens that they see."""


def ranking(name: str = "deepseek_v32", most: int = MOST) -> Any:
    of = family(name)
    setting = {FAMILIES.get(name, "index_topk"): most}
    return settled(build(of.config_class, of.model_class, settings={**of.settings, **setting}), seed=4)


@pytest.mark.parametrize(
    ("name", "attention", "batch"),
    [
        ("deepseek_v32", "sdpa", 1),
        ("deepseek_v32", "sdpa", 3),
        ("deepseek_v32", "eager", 1),
        ("hy_v4", "eager", 1),
        ("qwen4_exp_text", "sdpa", 3),
        ("qwen4_exp_text", "eager", 1),
    ],
)
def test_a_model_that_ranks_tokens_writes_the_text_of_plain_decoding(name: str, attention: str, batch: int) -> None:
    """Rows are padded on the left, and some draft trees. Eager attention itself makes NaN of them in float64."""
    model, prompts, counters = ranking(name), padded_prompts(batch, seed=2, vocabulary=VOCABULARY), Counters()
    model.set_attn_implementation(attention)
    for arguments in (limits(), limits(repetition_penalty=1.3), limits(do_sample=True)):
        counters.add(compare(model, prompts, arguments.copy).spec.stats.total)
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("name", FAMILIES)
def test_texts_up_to_what_it_sees_are_drafted_for_and_longer_ones_are_decoded_plainly(name: str) -> None:
    model, prompts = ranking(name), padded_prompts(1, 10, vocabulary=VOCABULARY)
    assert MOST == most_ranked(model)
    drafted = []
    for num_tokens in (MOST - 10, MOST - 9):
        call: dict[str, Any] = {**prompts, "max_new_tokens": num_tokens, "eos_token_id": None}
        plain = model.generate(**call)
        spec = Speculator(OracleDrafter.of_output(plain, 10, VOCABULARY), FixedBudget(4))
        if num_tokens + 10 > MOST:
            with pytest.warns(NgramspecWarning, match=f"attends to the best {MOST} tokens of a longer text"):
                text = model.generate(**call, custom_generate=spec)
        else:
            text = model.generate(**call, custom_generate=spec)
        assert plain.tolist() == text.tolist()
        drafted.append(spec.stats.total.num_draft_tokens > 0)
    assert [True, False] == drafted


@pytest.mark.parametrize("name", FAMILIES)
def test_ranks_decide_beyond_it(name: str) -> None:
    """Else the limit would say nothing."""
    model, others = ranking(name, most=4), ranking(name)
    others.load_state_dict(model.state_dict())
    ids = torch.randint(2, 20, (1, 30), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits, of_all = model(ids).logits, others(ids).logits
    torch.testing.assert_close(logits[:, :4], of_all[:, :4])
    assert float((logits - of_all).abs().max()) > 1e-3


def test_a_cache_that_is_passed_in_is_filled_by_plain_decoding() -> None:
    """Ours would lack the indexer's keys."""
    model, prompts = ranking(), padded_prompts(1, 12, vocabulary=VOCABULARY)
    spec, texts = Speculator(RandomDrafter(VOCABULARY), FixedBudget(4)), []
    for more in ({}, {"custom_generate": spec}):
        cache: Any = DynamicCache(config=text_config(model))
        first = model.generate(**prompts, max_new_tokens=8, **{CACHE: cache})
        if more:
            with pytest.warns(NgramspecWarning, match="ranks tokens, and a cache that is passed in"):
                texts.append(model.generate(first, max_new_tokens=8, **{CACHE: cache}, **more).tolist())
        else:
            texts.append(model.generate(first, max_new_tokens=8, **{CACHE: cache}).tolist())
    assert texts[0] == texts[1]
    assert spec.stats.total.num_draft_tokens == 0


def test_requests_join_and_leave_an_engine_and_longer_ones_are_refused() -> None:
    model = ranking()
    prompts = [padded_prompts(1, length, seed=length, vocabulary=VOCABULARY)["input_ids"] for length in (5, 9, 12)]
    plain = [model.generate(ids, max_new_tokens=20)[0, ids.shape[1] :].tolist() for ids in prompts]
    spec = Speculator(OracleDrafter(plain, VOCABULARY), FixedBudget(5))
    with ModelEngine(model, spec) as engine:
        answers = [engine.add(ids, max_new_tokens=20) for ids in prompts]
        with pytest.raises(RefusedError, match=f"attends to the best {MOST} tokens"):
            engine.add(prompts[0], max_new_tokens=MOST)
        while not engine.is_idle:
            engine.step()
    assert plain == [answer.emitted for answer in answers]
    assert_accepted_and_rolled_back(spec)
