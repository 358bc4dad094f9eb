"""PEFT adapters: drafted for if they read blocks like single tokens, else decoded plainly."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

import ngramspec
from ngramspec import FixedBudget, NgramspecWarning, Speculator
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning:peft")

VOCABULARY, PAD, EOS = 40, 0, 39


def llama() -> Any:
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, num_attention_heads=4, pad_token_id=PAD, eos_token_id=EOS, **sizes)
    )


def t5() -> Any:
    sizes: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    ends: dict[str, Any] = {"decoder_start_token_id": PAD, "eos_token_id": EOS, "tie_word_embeddings": False}
    return T5ForConditionalGeneration(T5Config(vocab_size=VOCABULARY, **sizes, **ends))


def adapted(base: Any, config: Any, *more: Any) -> Any:
    torch.manual_seed(0)
    model = peft.get_peft_model(base, config, adapter_name="first")
    for index, other in enumerate(more):
        model.add_adapter(f"other{index}", other)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=2 / parameter.shape[-1] ** 0.5)
    return model.double().eval()


def prompts(batch: int = 1) -> dict[str, Any]:
    ids = torch.randint(2, EOS, (batch, 6), generator=torch.Generator().manual_seed(batch)).repeat(1, 3)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 30}


def text(model: Any, spec: Speculator | None, arguments: dict[str, Any]) -> Tensor:
    more = {} if spec is None else {"custom_generate": spec}
    output: Tensor = model.generate(**arguments, **more)
    return output


def three_times(model: Any, arguments: dict[str, Any], *, start: int) -> tuple[Speculator, list[str]]:
    """Three calls with drafts, each of plain's text; and what was warned of."""
    plain = text(model, None, arguments)
    spec = Speculator(OracleDrafter.of_output(plain, start, VOCABULARY), FixedBudget(6))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            assert plain.tolist() == text(model, spec, arguments).tolist()
    return spec, [str(each.message) for each in caught if issubclass(each.category, NgramspecWarning)]


@pytest.mark.parametrize("batch", [1, 4])
def test_lora_is_drafted_for_once_it_was_tried(batch: int) -> None:
    model = adapted(llama(), peft.LoraConfig(task_type="CAUSAL_LM", r=4))
    spec, warned = three_times(model, prompts(batch), start=18)
    assert [] == warned
    total = spec.stats.total
    assert_accepted_and_rolled_back(total)


def test_lora_of_an_encoder_decoder_model_is_drafted_for_once_it_was_tried() -> None:
    model = adapted(t5(), peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=4))
    spec, warned = three_times(model, prompts(), start=1)
    assert [] == warned
    assert_accepted_and_rolled_back(spec)


def test_an_adapter_that_is_invoked_in_mid_text_is_plain() -> None:
    model = adapted(llama(), peft.LoraConfig(task_type="CAUSAL_LM", r=4, alora_invocation_tokens=[5, 6]))
    arguments = prompts()
    arguments["input_ids"][0, -2:] = torch.tensor([5, 6])
    spec, warned = three_times(model, arguments, start=18)
    assert 0 == spec.stats.total.num_draft_tokens
    assert "alora" in warned[0]


def test_an_adapter_per_row_is_plain_and_leaves_the_model_usable() -> None:
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4)
    model = adapted(llama(), config, config)
    arguments = {**prompts(6), "adapter_names": ["first", "other0", "__base__"] * 2}
    plain = text(model, None, arguments)
    with ngramspec.enable(model):
        for _ in range(3):
            assert plain.tolist() == text(model, None, arguments).tolist()
    assert [1, 23] == list(text(model, None, {**prompts(), "max_new_tokens": 5, "eos_token_id": None}).shape)


@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PromptEncoderConfig", "PrefixTuningConfig"])
@pytest.mark.parametrize(("make", "task"), [(llama, "CAUSAL_LM"), (t5, "SEQ_2_SEQ_LM")])
@pytest.mark.filterwarnings("ignore::ngramspec.errors.NgramspecWarning")
def test_virtual_tokens_leave_the_text(kind: str, make: Any, task: str) -> None:
    more = {"encoder_hidden_size": 16} if kind == "PromptEncoderConfig" else {}
    model = adapted(make(), getattr(peft, kind)(task_type=task, num_virtual_tokens=5, **more))
    try:
        plain = text(model, None, prompts())
    except (ValueError, TypeError, AttributeError) as error:
        pytest.skip(f"plain generate() itself fails: {error}")
    with ngramspec.enable(model):
        for _ in range(3):
            assert plain.tolist() == text(model, None, prompts()).tolist()
