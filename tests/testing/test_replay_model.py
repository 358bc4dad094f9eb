"""In any loop of `generate()`, the replay model computes for real and writes what was recorded."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from ngramspec import Speculator
from ngramspec.replay import Trace
from ngramspec.testing.replay_model import ReplayModel, replay_class

EOS = 0
VOCABULARY = 20
SHAPE = LlamaConfig(
    vocab_size=VOCABULARY,
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    bos_token_id=None,
    eos_token_id=EOS,
    pad_token_id=EOS,
)


def recorded(seed: int, prompt: int, output: int) -> Trace:
    """A request whose output half copies its prompt, so that drafts are accepted as well as rejected."""
    rng = np.random.default_rng(seed)
    text = rng.integers(1, VOCABULARY, prompt).astype(np.int32)
    copied = np.resize(text, output)
    changed = rng.random(output) < 0.2
    return Trace(text, np.where(changed, rng.integers(1, VOCABULARY, output), copied).astype(np.int32))


TRACES = [recorded(0, 30, 25), recorded(1, 8, 12), recorded(2, 17, 33), recorded(3, 5, 1), recorded(4, 40, 24)]
"""The last one fills its room to the last token."""


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return ReplayModel(SHAPE, TRACES)


def emitted(output: torch.Tensor, prompt_length: int) -> list[list[int]]:
    """Each row's tokens up to its end of sequence."""
    rows = output[:, prompt_length:].tolist()
    return [row[: row.index(EOS)] for row in rows]


def written(model: Any, requests: list[int], **settings: Any) -> list[list[int]]:
    inputs = model.inputs(requests)
    return emitted(model.generate(**inputs, max_new_tokens=40, **settings), inputs["input_ids"].shape[1])


def outputs(requests: list[int]) -> list[list[int]]:
    return [TRACES[request].output.tolist() for request in requests]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_sample": True},
        {"num_beams": 3},
        {"use_cache": False},
        {"cache_implementation": "static"},
    ],
    ids=str,
)
def test_any_method_of_generate_writes_the_recorded_texts(model: Any, settings: dict[str, Any]) -> None:
    assert outputs([2, 0, 3, 1]) == written(model, [2, 0, 3, 1], **settings)


@pytest.mark.parametrize("request_", range(len(TRACES)))
def test_transformers_prompt_lookup_writes_the_recorded_text(model: Any, request_: int) -> None:
    assert outputs([request_]) == written(model, [request_], prompt_lookup_num_tokens=10)


@given(requests=st.lists(st.integers(0, len(TRACES) - 1), min_size=1, max_size=6))
@settings(deadline=None, max_examples=20)
def test_speculation_writes_the_recorded_texts_in_any_batch(model: Any, requests: list[int]) -> None:
    assert outputs(requests) == written(model, requests, custom_generate=Speculator())


def test_drafts_are_accepted_and_rolled_back(model: Any) -> None:
    spec = Speculator()
    written(model, [0, 1, 2, 3], custom_generate=spec)
    assert 0 < spec.stats.total.num_accepted_tokens < spec.stats.total.num_draft_tokens


def test_without_position_ids_the_first_text_is_written(model: Any) -> None:
    prompt = torch.from_numpy(TRACES[0].prompt).long()[None]
    assert outputs([0]) == emitted(model.generate(prompt, max_new_tokens=40), prompt.shape[1])


def test_the_whole_network_is_computed(model: Any) -> None:
    plain: Any = LlamaForCausalLM(model.config)
    plain.load_state_dict(model.state_dict())
    inputs = model.inputs([1])
    counted = inputs | {"position_ids": inputs["position_ids"] - model.room}
    with torch.no_grad():
        forced, free = model(**inputs).logits, plain(**counted).logits
    text = torch.from_numpy(np.concatenate((TRACES[1].prompt, TRACES[1].output))).long()
    said = torch.nn.functional.one_hot(text[1 : 1 + forced.shape[1]], VOCABULARY).bool()[None]
    assert torch.equal(free.masked_fill(said, 0), forced.masked_fill(said, 0))
    assert torch.equal(said, forced > free.abs().max())


@pytest.mark.parametrize("kept", [0, 1, 3, torch.tensor([0, 4])], ids=str)
def test_only_the_logits_that_are_asked_for_are_made(model: Any, kept: Any) -> None:
    inputs = model.inputs([1])
    with torch.no_grad():
        everything, some = model(**inputs).logits, model(**inputs, logits_to_keep=kept).logits
    expected = everything[:, -kept:] if isinstance(kept, int) else everything[:, kept]
    torch.testing.assert_close(expected, some)


def test_half_precision_holds_the_record(model: Any) -> None:
    half: Any = ReplayModel(SHAPE, TRACES).bfloat16()
    assert outputs([2, 1]) == written(half, [2, 1], do_sample=True, temperature=5.0)


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (Trace(np.arange(1, 40, dtype=np.int32) % 9, np.ones(30, np.int32)), "at most max_position_embeddings=64"),
        (Trace(np.empty(0, np.int32), np.ones(3, np.int32)), "must have a prompt"),
        (Trace(np.full(3, VOCABULARY, np.int32), np.ones(3, np.int32)), "must be < vocab_size=20, got 20 in request 0"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(trace: Trace, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplayModel(SHAPE, [trace])


def test_a_shape_without_an_end_of_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="needs one end of sequence, got eos_token_id=None"):
        ReplayModel(LlamaConfig(vocab_size=VOCABULARY, eos_token_id=None), TRACES)


def test_any_class_that_takes_position_ids_writes_what_was_recorded() -> None:
    """GPT-2 has learned positions: it gets those from 0."""
    shape = GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=None, eos_token_id=EOS
    )
    shape.pad_token_id = EOS
    replaying = replay_class(GPT2LMHeadModel)(shape, TRACES)
    assert [trace.output.tolist() for trace in TRACES] == written(replaying, [0, 1, 2, 3, 4])
    spec = Speculator()
    assert [trace.output.tolist() for trace in TRACES] == written(replaying, [0, 1, 2, 3, 4], custom_generate=spec)
    assert 0 < spec.stats.total.num_accepted_tokens < spec.stats.total.num_draft_tokens
    assert replay_class(GPT2LMHeadModel) is type(replaying)
