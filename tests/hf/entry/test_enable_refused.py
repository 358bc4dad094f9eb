"""Calls of an enabled model that cannot be drafted for are served by plain `generate()`, without side effects."""

import copy
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration, TextIteratorStreamer
from transformers.generation.logits_process import LogitsProcessor

import ngramspec
from ngramspec import NgramspecWarning, PromptError, RefusedError
from ngramspec.hf.seam import CACHE
from tests.hf.choice.test_streaming import Recorder
from tests.hf.comparing import SEED
from tests.hf.entry.test_bad_input import one_empty_row
from tests.hf.entry.test_enable import CALL, num_requests
from tests.hf.entry.test_refusals import REFUSED, counted_passes
from tests.hf.models import EOS, MAX_POSITIONS, PAD, VOCABULARY, padded_prompts, settled, tiny
from tests.hf.target.test_aligned import model_that_sees


@pytest.fixture
def model() -> Iterator[Any]:
    model = copy.deepcopy(tiny("llama"))
    yield model
    ngramspec.disable(model)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collects what NgramspecWarnings say, of the calls inside."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield messages
    messages += [str(warning.message) for warning in caught if warning.category is NgramspecWarning]


def told(value: Any) -> Any:
    """What `generate()` returned, ready to be compared."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, tuple):
        return [told(entry) for entry in value]
    return {name: told(entry) for name, entry in value.items() if name != CACHE} if value else value


# What Speculator comes to serve leaves REFUSED, and with it this list.
NEEDS_CODE_OF_THE_HUB = ("contrastive search", "DoLa", "constrained beams")
CHOSEN_BY_THE_CALL = ("prompt lookup",)
NEEDS_A_GPU = ("offloaded cache",)
ELSEWHERE = (*NEEDS_CODE_OF_THE_HUB, *CHOSEN_BY_THE_CALL, *NEEDS_A_GPU)
SERVED = {name: case for name, case in REFUSED.items() if name not in ELSEWHERE}


@pytest.mark.parametrize("do_sample", [False, True], ids=["greedy", "sampled"])
@pytest.mark.parametrize(("arguments", "message"), SERVED.values(), ids=SERVED)
def test_a_refused_call_is_served_as_by_plain_decoding_with_one_warning(
    model: Any, arguments: Callable[[], dict[str, Any]], message: str, do_sample: bool
) -> None:
    def call() -> Any:
        torch.manual_seed(SEED)
        return told(model.generate(**{**CALL, "do_sample": do_sample, "max_new_tokens": 6, **arguments()}))

    plain = call()
    state = torch.get_rng_state()
    with ngramspec.enable(model) as spec, collected() as messages:
        assert plain == call()
        assert torch.equal(state, torch.get_rng_state())
        assert plain == call()
    (text,) = messages
    assert text.startswith("LlamaForCausalLM.generate() decodes this call without drafts: ")
    assert re.search(message, text)
    assert 0 == num_requests(spec)


@pytest.mark.parametrize("name", NEEDS_CODE_OF_THE_HUB)
def test_what_plain_generate_refuses_it_refuses_on_an_enabled_model_too(model: Any, name: str) -> None:
    call = {**CALL, **REFUSED[name][0]()}
    with pytest.raises(ValueError, match="trust_remote_code"):
        model.generate(**call)
    with collected(), ngramspec.enable(model), pytest.raises(ValueError, match="trust_remote_code"):
        model.generate(**call)


OWN_WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "an assistant": lambda: {"assistant_model": tiny("gpt2"), "do_sample": False},
    "prompt lookup": lambda: {"prompt_lookup_num_tokens": 3},
    "a callable": lambda: {"custom_generate": lambda model, input_ids, **_: input_ids},
}


@pytest.mark.parametrize("arguments", OWN_WAYS.values(), ids=OWN_WAYS)
def test_a_call_that_names_its_own_way_goes_it_without_a_warning(
    model: Any, arguments: Callable[[], dict[str, Any]]
) -> None:
    plain = model.generate(**CALL, **arguments())
    with ngramspec.enable(model) as spec, collected() as messages:
        assert plain.tolist() == model.generate(**CALL, **arguments()).tolist()
    assert [] == messages
    assert 0 == num_requests(spec)


PROMPTS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "longer than the model's positions": (lambda: padded_prompts(1, MAX_POSITIONS + 4), "max_position_embeddings"),
    "a row of nothing": (one_empty_row, "at least one token"),
}


@pytest.mark.parametrize(("prompts", "message"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_that_speculation_will_not_read_is_served_plainly(
    model: Any, prompts: Callable[[], dict[str, Any]], message: str
) -> None:
    call: dict[str, Any] = {**prompts(), "max_new_tokens": 4}
    plain = model.generate(**call)
    with ngramspec.enable(model) as spec, pytest.warns(NgramspecWarning, match=message):
        assert plain.tolist() == model.generate(**call).tolist()
    assert 0 == num_requests(spec)


def test_an_error_of_plain_decoding_is_raised_as_before(model: Any) -> None:
    unknown = {"input_ids": torch.tensor([[3, VOCABULARY]]), "max_new_tokens": 3}
    with pytest.raises(IndexError):
        model.generate(**unknown)
    with ngramspec.enable(model):
        with collected(), pytest.raises(IndexError):
            model.generate(**unknown)
        with pytest.raises(ValueError, match="no_such_argument"):
            model.generate(**CALL, no_such_argument=1)
        with pytest.raises(ValueError, match="tokenizer"):
            model.generate(**CALL, stop_strings=["b"])


class Counts(LogitsProcessor):
    """Keeps a state: bans the token of its own count."""

    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.num_calls += 1
        scores[:, self.num_calls % VOCABULARY] = -torch.inf
        return scores


def test_a_refused_call_consumes_nothing_of_its_arguments(model: Any) -> None:
    logs, counts, texts = [], [], []
    for _ in range(2):
        streamer, processor = Recorder(), Counts()
        call = {**CALL, "streamer": streamer, "logits_processor": [processor], "prefill_chunk_size": 4}
        with collected():
            texts.append(model.generate(**call, eos_token_id=EOS, do_sample=False).tolist())
        logs.append(streamer.log)
        counts.append(processor.num_calls)
        ngramspec.enable(model)
    assert texts[0] == texts[1]
    assert logs[0] == logs[1]
    assert 1 == logs[1].count("end")
    assert counts[0] == counts[1] == len(texts[0][0]) - 9


def test_a_segment_is_no_argument_of_plain_generate(model: Any) -> None:
    plain = model.generate(**CALL, num_beams=2)
    with ngramspec.enable(model):
        with pytest.warns(NgramspecWarning):
            assert plain.tolist() == model.generate(**CALL, num_beams=2, segment="a").tolist()
        model.generate(**CALL, prompt_lookup_num_tokens=3, segment="a")


def test_each_reason_is_told_once_per_model(model: Any) -> None:
    other = copy.deepcopy(model)
    ngramspec.enable(model)
    with ngramspec.enable(other), collected() as messages:
        for beams in (2, 3, 2):
            model.generate(**CALL, num_beams=beams)
        for length in (1, 2):
            model.generate(**padded_prompts(1, MAX_POSITIONS + length), max_new_tokens=2)
        other.generate(**CALL, num_beams=2)
    assert ["num_beams=2", "max_position_embeddings", "num_beams=2"] == [
        next(key for key in ("num_beams=2", "max_position_embeddings") if key in message) for message in messages
    ]


def test_a_warning_points_at_the_line_that_called_generate(model: Any) -> None:
    with ngramspec.enable(model), pytest.warns(NgramspecWarning) as caught:
        model.generate(**CALL, num_beams=2)
    assert __file__ == caught[0].filename


def test_a_mode_of_the_models_own_settings_is_served_plainly(model: Any) -> None:
    model.generation_config.num_beams = 3
    plain = model.generate(**CALL)
    with ngramspec.enable(model) as spec:
        with pytest.warns(NgramspecWarning, match="num_beams=3"):
            assert plain.tolist() == model.generate(**CALL).tolist()
        greedy = model.generate(**CALL, num_beams=1)
    assert greedy.tolist() == model.generate(**CALL, num_beams=1).tolist()
    assert 1 == num_requests(spec)


def test_an_attention_that_takes_no_mask_per_query_is_served_plainly(model: Any) -> None:
    model.set_attn_implementation("flex_attention")
    model.float()
    call = {**CALL, "max_new_tokens": 3}
    plain = model.generate(**call)
    with ngramspec.enable(model), pytest.warns(NgramspecWarning, match="flex_attention"):
        assert plain.tolist() == model.generate(**call).tolist()


def bart(**settings: Any) -> Any:
    """A tiny BART, whose configuration, like those of many summarisers, asks for beams where `settings` say so."""
    sizes: dict[str, Any] = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
    sizes |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    ends: dict[str, Any] = {"pad_token_id": PAD, "eos_token_id": EOS, "bos_token_id": None, "forced_eos_token_id": None}
    config = BartConfig(vocab_size=VOCABULARY, d_model=32, decoder_start_token_id=EOS, **sizes, **ends)
    made = settled(BartForConditionalGeneration(config), seed=4)
    made.generation_config.update(decoder_start_token_id=EOS, eos_token_id=EOS, **settings)
    return made


def test_a_summariser_that_defaults_to_beams_is_served_plainly_and_encodes_once() -> None:
    model = bart(num_beams=4, max_new_tokens=12, early_stopping=True, no_repeat_ngram_size=3)
    prompts = padded_prompts(2)
    plain = model.generate(**prompts)
    with ngramspec.enable(model) as spec, counted_passes(model.get_encoder()) as encoded, collected() as messages:
        assert plain.tolist() == model.generate(**prompts).tolist()
        assert 1 == len(encoded)
        assert plain.tolist() == model.generate(**prompts).tolist()
    (message,) = messages
    assert "BartForConditionalGeneration.generate() decodes this call without drafts" in message
    assert "num_beams=4" in message
    assert 0 == num_requests(spec)


def test_a_speculator_refuses_beams_before_an_encoder_runs() -> None:
    model = bart(num_beams=4, max_new_tokens=12)
    with counted_passes(model.get_encoder()) as encoded, pytest.raises(RefusedError, match="num_beams=4"):
        ngramspec.Speculator().generate(model, **padded_prompts(2))
    assert [] == encoded


def test_pictures_are_looked_at_once() -> None:
    model = model_that_sees()
    prompts = padded_prompts(1, vocabulary=VOCABULARY - 1)
    prompts["input_ids"][0, 2:6] = VOCABULARY - 1
    call: dict[str, Any] = {**prompts, "pixel_values": torch.zeros((1, 3, 28, 28), dtype=torch.float64)}
    for beams in (1, 2):
        plain = model.generate(**call, max_new_tokens=9, num_beams=beams)
        with (
            ngramspec.enable(model) as spec,
            counted_passes(model.model.vision_tower) as looked,
            collected() as messages,
        ):
            assert plain.tolist() == model.generate(**call, max_new_tokens=9, num_beams=beams).tolist()
            assert 1 == len(looked)
        assert [beams == 1, beams != 1] == [num_requests(spec) == 1, len(messages) == 1]


def test_a_greedy_summariser_is_drafted_for() -> None:
    model = bart(num_beams=1, max_new_tokens=30, no_repeat_ngram_size=3)
    prompts = padded_prompts(2)
    plain = model.generate(**prompts)
    with ngramspec.enable(model) as spec, collected() as messages:
        assert plain.tolist() == model.generate(**prompts).tolist()
    assert [] == messages
    assert spec.stats.total.num_draft_tokens > 0


def test_a_refusal_by_the_speculator_itself_is_still_an_error(model: Any) -> None:
    with ngramspec.enable(model) as spec, pytest.raises(PromptError):
        model.generate(**padded_prompts(1, MAX_POSITIONS + 4), max_new_tokens=2, custom_generate=spec)


def test_a_refused_call_under_a_guard_keeps_its_streamer_and_may_name_its_segment() -> None:
    pico: tuple[Any, Any] = ngramspec.load_pico()
    model, tokenizer = pico
    guard = ngramspec.Guard.regex("[ab]{3}", tokenizer)
    inputs = tokenizer("aab", return_tensors="pt")
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=60)
    with ngramspec.enable(model), pytest.warns(NgramspecWarning):
        model.generate(
            **inputs,
            max_new_tokens=8,
            logits_processor=[guard],
            streamer=streamer,
            segment="letters",
            output_attentions=True,
        )
    assert guard.accepts("".join(streamer))
