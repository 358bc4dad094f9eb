"""vLLM in this process, with a tiny random Llama: shared by all tests inside vLLM."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ngramspec.decoding import FixedBudget
from ngramspec.drafting import Drafter
from ngramspec.vllm import scheduler_drafts
from tests.vllm.drafters import KnowingDrafter

NULL = {"method": "custom_class", "model": "ngramspec.vllm.NullProposer", "num_speculative_tokens": 6}
BLIND = {**NULL, "model": "ngramspec.vllm.Proposer"}
OURS: Mapping[str, Any] = {"scheduler_cls": "ngramspec.vllm.Scheduler", "speculative_config": NULL}

Answers = list[tuple[int, ...]]

WORDS = ("name", "city", "Ada", "Graz", "true", "null", '", "', '": "', "the ", "and ", "think")


class Job(NamedTuple):
    """Prompts that are decoded together, and how. parameters: of `SamplingParams`, for all, or for each."""

    prompts: Sequence[Sequence[int]]
    parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    is_batch: bool = True


def make_model(folder: Path) -> Path:
    """A random Llama whose answers wander, with a tokenizer of bytes and a few words."""
    raw = Tokenizer(models.BPE(vocab=(vocab := _vocabulary()), merges=_merges(vocab)))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.15,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _vocabulary() -> dict[str, int]:
    names = ["<pad>", "<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return {name: index for index, name in enumerate(names)}


def _merges(vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Merges that make each of WORDS a token, whose heads become tokens too."""
    merges = []
    for word in WORDS:
        text = word.replace(" ", "\u0120")
        for size in range(2, len(text) + 1):
            if text[:size] not in vocabulary:
                vocabulary[text[:size]] = len(vocabulary)
                merges.append((text[: size - 1], text[size - 1]))
    return merges


@contextmanager
def vllm_engine(model: Path, **options: Any) -> Iterator[Any]:
    """vLLM's `LLM` with these options."""
    from vllm import LLM

    defaults: dict[str, Any] = {
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 192,
        "max_num_seqs": 16,
        "kv_cache_memory_bytes": 1 << 26,
        "seed": 0,
    }
    llm = LLM(model=str(model), **(defaults | options))
    try:
        yield llm
    finally:
        llm.llm_engine.engine_core.shutdown()


def scheduler_of(llm: Any) -> Any:
    return llm.llm_engine.engine_core.engine_core.scheduler


def decoded(llm: Any, job: Job) -> Answers:
    """The answers to a job, as token ids."""
    from vllm import SamplingParams

    given = [job.parameters] * len(job.prompts) if isinstance(job.parameters, Mapping) else job.parameters
    parameters = [SamplingParams(temperature=0.0, **each) for each in given]
    prompts = [{"prompt_token_ids": list(prompt)} for prompt in job.prompts]
    if job.is_batch:
        outputs = llm.generate(prompts, parameters, use_tqdm=False)
    else:
        outputs = [llm.generate([one], each, use_tqdm=False)[0] for one, each in zip(prompts, parameters, strict=True)]
    return [tuple(output.outputs[0].token_ids) for output in outputs]


def knowing(jobs: Mapping[str, Job], answers: Mapping[str, Answers], vocabulary: int, end: int) -> Drafter:
    """A drafter that knows the answers; of prompts in several jobs, those of the last one."""
    known = {
        tuple(prompt): answer
        for name, job in jobs.items()
        for prompt, answer in zip(job.prompts, answers[name], strict=True)
    }
    return KnowingDrafter(known, vocabulary, end)


def draft_always(monkeypatch: pytest.MonkeyPatch, drafter: Drafter | None = None) -> None:
    """Every engine drafts as much as it may in each pass, whatever that costs; by `drafter`, or by what is usual."""
    monkeypatch.setattr("ngramspec.vllm.drafting.AdaptiveBudget", lambda: FixedBudget(96))
    if drafter is not None:
        monkeypatch.setattr(scheduler_drafts, "kept_drafter", lambda path, fingerprint: drafter)
