"""An enabled model speculates for all callers, and is otherwise unchanged."""

import copy
import gc
import inspect
import io
import pickle
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, LlamaForCausalLM
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteriaList, StopStringCriteria
from transformers.generation.streamers import BaseStreamer

import ngramspec
from ngramspec import Speculator
from tests.hf.choice.test_streaming import Fails, Recorder, in_all_ways
from tests.hf.comparing import SEED, assert_accepted_and_rolled_back, oracle
from tests.hf.models import EOS, FAMILIES, VOCABULARY, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdefghij")
PLAIN = GenerationMixin.generate
CALL: dict[str, Any] = {**padded_prompts(1, seed=5), "max_new_tokens": 24}
STOPS = ["bh", "fb", "hb"]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    for family in FAMILIES:
        ngramspec.disable(tiny(family))
    assert GenerationMixin.generate is PLAIN, "something was left enabled"


@pytest.fixture
def model() -> Iterator[Any]:
    model = copy.deepcopy(tiny("llama"))
    yield model
    ngramspec.disable(model)


def num_requests(spec: Speculator) -> int:
    return spec.stats.total.requests


@pytest.mark.parametrize("family", FAMILIES)
@in_all_ways
def test_an_enabled_model_writes_the_text_of_plain_decoding(family: str, batch: int, do_sample: bool) -> None:
    model = tiny(family)
    call = {**padded_prompts(batch, seed=5), "max_new_tokens": 27, "eos_token_id": EOS, "do_sample": do_sample}
    undrafted = Speculator(budget=ngramspec.FixedBudget(0))
    own = {"custom_generate": undrafted} if batch > 1 and do_sample else {}  # there each row has its own generator
    torch.manual_seed(SEED)
    plain = model.generate(**call, **own)
    state = torch.get_rng_state()
    with ngramspec.enable(model, oracle(plain)) as spec:
        torch.manual_seed(SEED)
        assert plain.tolist() == model.generate(**call).tolist()
    assert torch.equal(state, torch.get_rng_state())
    assert_accepted_and_rolled_back(spec)


def test_a_segment_is_an_argument_of_generate(model: Any) -> None:
    with ngramspec.enable(model) as spec:
        model.generate(**CALL, segment="invoices")
        model.generate(**CALL)
    assert ["invoices"] == list(spec.stats.segments)
    assert 1 == spec.stats.segments["invoices"].requests
    assert 2 == num_requests(spec)
    with ngramspec.enable(model), pytest.raises(TypeError, match="segment must be a name"):
        model.generate(**CALL, segment=["invoices"] * 9)


def test_a_streamer_and_stop_strings_are_served(model: Any) -> None:
    call = {**CALL, "stop_strings": STOPS, "tokenizer": TOKENIZER}
    plain, speculative = Recorder(), Recorder()
    expected = model.generate(**call, streamer=plain)
    with ngramspec.enable(model, oracle(expected)) as spec:
        assert expected.tolist() == model.generate(**call, streamer=speculative).tolist()
    assert plain.log == speculative.log
    assert expected.shape[1] < 9 + 24
    assert_accepted_and_rolled_back(spec)


def test_stop_strings_can_be_switched_off_for_a_call(model: Any) -> None:
    model.generation_config.stop_strings = STOPS
    plain = model.generate(**CALL, stop_strings=None)
    with ngramspec.enable(model, oracle(plain)) as spec:
        assert plain.tolist() == model.generate(**CALL, stop_strings=None).tolist()
    assert_accepted_and_rolled_back(spec)
    assert 9 + 24 == plain.shape[1]


def test_arguments_may_come_by_position(model: Any) -> None:
    streamers = [Recorder(), Recorder()]
    stops = StoppingCriteriaList([StopStringCriteria(TOKENIZER, STOPS)])
    config = GenerationConfig(max_new_tokens=24, pad_token_id=0)
    ids = CALL["input_ids"]
    plain = model.generate(ids, config, LogitsProcessorList(), stops, None, None, None, streamers[0])
    with ngramspec.enable(model, oracle(plain)) as spec:
        actual = model.generate(ids, config, LogitsProcessorList(), stops, None, None, None, streamers[1])
    assert plain.tolist() == actual.tolist()
    assert streamers[0].log == streamers[1].log
    assert_accepted_and_rolled_back(spec)


def test_a_call_that_python_would_not_make_is_a_type_error(model: Any) -> None:
    with ngramspec.enable(model), pytest.raises(TypeError, match="inputs"):
        model.generate(CALL["input_ids"], inputs=CALL["input_ids"])


def test_a_speculator_of_the_calls_own_serves_an_enabled_model(model: Any) -> None:
    plain = model.generate(**CALL)
    with ngramspec.enable(model) as spec:
        own = oracle(plain)
        assert plain.tolist() == model.generate(**CALL, custom_generate=own, segment="a").tolist()
        assert plain.tolist() == own.generate(model, **CALL).tolist()
        with pytest.raises(ngramspec.RefusedError):
            own.generate(model, **CALL, num_beams=2)
    assert (2, 0) == (num_requests(own), num_requests(spec))
    assert ["a"] == list(own.stats.segments)
    assert_accepted_and_rolled_back(own)


def test_the_last_one_enabled_serves_and_disable_ends_them_all(model: Any) -> None:
    first, second = Speculator(), Speculator()
    assert first is ngramspec.enable(model, first).spec
    ngramspec.enable(model, second)
    model.generate(**CALL)
    assert (0, 1) == (num_requests(first), num_requests(second))
    ngramspec.disable(model)
    model.generate(**CALL)
    assert (0, 1) == (num_requests(first), num_requests(second))
    assert GenerationMixin.generate is PLAIN


def test_to_disable_a_model_that_is_not_enabled_does_nothing(model: Any) -> None:
    ngramspec.disable(model)
    with ngramspec.enable(tiny("gpt2")) as spec:
        ngramspec.disable(model)
        tiny("gpt2").generate(**CALL)
    assert 1 == num_requests(spec)


def test_a_block_puts_back_what_it_found_also_when_it_raises(model: Any) -> None:
    outer, inner = Speculator(), Speculator()
    failing = {**CALL, "logits_processor": [Fails(OSError("broken"))]}
    with ngramspec.enable(model, outer):
        with pytest.raises(OSError, match="broken"), ngramspec.enable(model, inner):
            model.generate(**failing)
        model.generate(**CALL)
    model.generate(**CALL)
    assert (1, 0) == (num_requests(outer), num_requests(inner))


def test_blocks_may_end_in_any_order(model: Any) -> None:
    always, first, second = Speculator(), Speculator(), Speculator()
    ngramspec.enable(model, always)
    blocks = [ngramspec.enable(model, spec) for spec in (first, second)]
    for block in blocks:
        block.__enter__()
    blocks[0].__exit__(None, None, None)
    model.generate(**CALL)
    assert 1 == num_requests(second)
    blocks[1].__exit__(None, None, None)
    model.generate(**CALL)
    assert (1, 0, 1) == (num_requests(always), num_requests(first), num_requests(second))
    ngramspec.disable(model)


def test_what_is_said_inside_a_block_outlasts_it(model: Any) -> None:
    later = Speculator()
    with ngramspec.enable(model):
        ngramspec.enable(model, later)
    model.generate(**CALL)
    assert 1 == num_requests(later)
    with ngramspec.enable(model):
        ngramspec.disable(model)
    model.generate(**CALL)
    assert 1 == num_requests(later)


def test_a_block_cannot_be_entered_again(model: Any) -> None:
    enabled = ngramspec.enable(model)
    with enabled:
        pass
    with pytest.raises(RuntimeError, match="call enable"), enabled:
        pass


def test_only_the_model_itself_is_enabled(model: Any) -> None:
    other = copy.deepcopy(model)
    with ngramspec.enable(model) as spec:
        other.generate(**CALL)
        tiny("gpt2").generate(**CALL)
    assert 0 == num_requests(spec)


def test_generate_keeps_its_name_signature_and_documentation(model: Any) -> None:
    before = model.generate
    with ngramspec.enable(model):
        assert inspect.signature(before) == inspect.signature(model.generate)
        assert (before.__name__, before.__qualname__, before.__doc__) == (
            model.generate.__name__,
            model.generate.__qualname__,
            model.generate.__doc__,
        )
        assert model is model.generate.__self__
        assert type(model) is LlamaForCausalLM


def test_a_copy_is_plain_and_decodes_with_its_own_weights(model: Any) -> None:
    with ngramspec.enable(model) as spec:
        for copied in (copy.deepcopy(model), copy.copy(model)):
            with torch.no_grad():
                copied.lm_head = nn.Linear(32, VOCABULARY, bias=False).double()
                copied.lm_head.weight.zero_()
                copied.lm_head.weight[5] = 1.0
                copied.lm_head.weight[6] = -1.0
            assert {5, 6} >= set(copied.generate(**CALL)[0, 9:].tolist())
    assert 0 == num_requests(spec)


def test_a_saved_model_is_plain(model: Any, tmp_path: Path) -> None:
    plain = model.generate(**CALL)
    with ngramspec.enable(model):
        model.save_pretrained(tmp_path)
        buffer = io.BytesIO()
        torch.save(model, buffer)
        pickled = pickle.dumps(model)
    buffer.seek(0)
    assert b"ngramspec" not in pickled
    loaded = [torch.load(buffer, weights_only=False), pickle.loads(pickled), LlamaForCausalLM.from_pretrained(tmp_path)]
    for other in loaded:
        assert plain.tolist() == other.generate(**CALL).tolist()


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "dropped"])
def test_an_enabled_model_is_freed_without_the_garbage_collector(keeps: bool) -> None:
    model = copy.deepcopy(tiny("llama"))
    enabled = ngramspec.enable(model)
    model.generate(**CALL)
    with pytest.warns(ngramspec.NgramspecWarning):
        model.generate(**CALL, num_beams=2)
    weights = weakref.ref(model.lm_head.weight)
    if not keeps:
        del enabled
    gc.collect()
    gc.disable()
    try:
        del model
        assert weights() is None
    finally:
        gc.enable()


def test_a_bound_method_keeps_its_model(model: Any) -> None:
    plain = model.generate(**CALL)
    ngramspec.enable(model)
    generate = model.generate
    ngramspec.disable(model)
    del model
    assert plain.tolist() == generate(**CALL).tolist()


def test_a_bound_method_taken_before_is_not_enabled_but_one_taken_within_follows(model: Any) -> None:
    before = model.generate
    spec = Speculator()
    ngramspec.enable(model, spec)
    within = model.generate
    before(**CALL)
    assert 0 == num_requests(spec)
    within(**CALL)
    assert 1 == num_requests(spec)
    ngramspec.disable(model)
    within(**CALL)
    assert 1 == num_requests(spec)


def test_a_model_that_is_moved_or_cast_stays_enabled(model: Any) -> None:
    with ngramspec.enable(model) as spec:
        model.to(torch.float32).cpu().eval()
        model.generate(**CALL)
    assert 1 == num_requests(spec)


def test_threads_share_an_enabled_model(model: Any) -> None:
    calls = [{**padded_prompts(1, seed=seed), "max_new_tokens": 24} for seed in range(6)]
    plain = [model.generate(**call).tolist() for call in calls]
    texts: dict[int, Any] = {}
    with ngramspec.enable(model) as spec:
        threads = [
            threading.Thread(target=lambda index=index: texts.update({index: model.generate(**calls[index]).tolist()}))
            for index in range(len(calls))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert plain == [texts[index] for index in range(len(calls))]
    assert len(calls) == num_requests(spec)


class Adapted(nn.Module):
    """As PEFT's models do it: holds a model, and passes calls on."""

    def __init__(self, base_model: Any) -> None:
        super().__init__()
        self.base_model = base_model

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        return self.base_model.generate(*args, **kwargs)


@pytest.mark.parametrize("through", ["model", "wrapper"])
def test_a_wrapper_around_an_enabled_model_is_enabled(model: Any, through: str) -> None:
    wrapper = Adapted(model)
    plain = wrapper.generate(**CALL)
    ngramspec.enable(model if through == "model" else wrapper, spec := oracle(plain))
    assert plain.tolist() == wrapper.generate(**CALL).tolist()
    assert_accepted_and_rolled_back(spec)
    ngramspec.disable(wrapper)
    wrapper.generate(**CALL)
    assert 1 == num_requests(spec)


class Greeting(LlamaForCausalLM):
    """A model with a `generate()` of its own, which calls the inherited one."""

    def generate(self: Any, prompt: Tensor, **kwargs: Any) -> Any:
        return super().generate(input_ids=prompt, max_new_tokens=24, **kwargs)


def test_a_generate_that_calls_the_inherited_one_is_enabled(model: Any) -> None:
    greeting: Any = Greeting(model.config)
    greeting.double().eval()
    greeting.load_state_dict(model.state_dict())
    greeting.generation_config.pad_token_id = 0
    plain = greeting.generate(CALL["input_ids"])
    with ngramspec.enable(greeting, oracle(plain)) as spec:
        for _ in range(2):  # the first call of an untried class is its trial
            assert plain.tolist() == greeting.generate(CALL["input_ids"]).tolist()
    assert_accepted_and_rolled_back(spec)


def test_an_enabled_model_may_assist_another(model: Any) -> None:
    """Assisted decoding calls `generate()` of the assistant, with its own cache and for its scores."""
    call = {**CALL, "assistant_model": tiny("gpt2"), "do_sample": False}
    plain = model.generate(**call)
    with ngramspec.enable(tiny("gpt2")) as spec:
        assert plain.tolist() == model.generate(**call).tolist()
    assert num_requests(spec) > 0


def test_a_processor_may_generate_with_the_model_that_calls_it(model: Any) -> None:
    class Asks(LogitsProcessor):
        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            answer = model.generate(input_ids, max_new_tokens=2, num_return_sequences=1)
            scores[:, answer[:, -1]] = -torch.inf
            return scores

    plain = model.generate(**CALL, logits_processor=[Asks()])
    with ngramspec.enable(model) as spec:
        assert plain.tolist() == model.generate(**CALL, logits_processor=[Asks()]).tolist()
    assert 25 == num_requests(spec)


def test_somebody_else_may_wrap_generate_too(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    spec = Speculator()
    ngramspec.enable(model, spec)
    ours: Any = GenerationMixin.generate

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(type(self).__name__)
        return ours(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(GenerationMixin, "generate", theirs)
        with ngramspec.enable(tiny("gpt2")) as other:
            tiny("gpt2").generate(**CALL)
        model.generate(**CALL)
        ngramspec.disable(model)
        model.generate(**CALL)
        ngramspec.enable(model, spec)
        model.generate(**CALL)
    ngramspec.disable(model)
    assert ["GPT2LMHeadModel", *["LlamaForCausalLM"] * 3] == calls
    assert (1, 2) == (num_requests(other), num_requests(spec))


@pytest.mark.parametrize(
    ("target", "spec", "message"),
    [
        ("llama", None, "model must be a model of transformers that generates, got str"),
        (nn.Linear(2, 2), None, "model must be a model of transformers that generates, got Linear"),
        (None, Speculator, "spec must be a Speculator, got <class"),
        (None, "fast", "spec must be a Speculator, got 'fast'"),
    ],
)
def test_what_cannot_be_enabled_is_named_at_once(target: Any, spec: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ngramspec.enable(target if target is not None else tiny("llama"), spec)


class Closing(BaseStreamer):
    """Counts its ends."""

    num_ends = 0

    def put(self, value: Tensor) -> None: ...

    def end(self) -> None:
        self.num_ends += 1


@pytest.mark.parametrize("error", [OSError, ngramspec.RefusedError, ngramspec.PromptError])
def test_what_goes_wrong_while_decoding_is_raised_and_not_tried_again(model: Any, error: type[Exception]) -> None:
    processor, streamer = Fails(error("broken")), Closing()
    with ngramspec.enable(model), pytest.raises(error, match="broken"):
        model.generate(**CALL, logits_processor=[processor], streamer=streamer)
    assert 7 == processor.num_calls
    assert 1 == streamer.num_ends


@pytest.mark.parametrize("by_position", [True, False])
def test_a_generate_that_others_have_wrapped_without_its_signature_is_enabled_all_the_same(by_position: bool) -> None:
    def traced(*args: Any, **kwargs: Any) -> Any:
        return PLAIN(*args, **kwargs)

    model, prompts = tiny("llama"), padded_prompts(1, length=30)
    plain = model.generate(**prompts, max_new_tokens=20)
    args: tuple[Any, ...] = (prompts["input_ids"], None, []) if by_position else ()
    kwargs = {"attention_mask": prompts["attention_mask"]} if by_position else prompts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenerationMixin, "generate", traced)
        with ngramspec.enable(model, oracle(plain, 30)) as spec:
            output = model.generate(*args, **kwargs, max_new_tokens=20)
        assert GenerationMixin.generate is traced
    assert plain.tolist() == output.tolist()
    assert 1 == spec.stats.total.requests
    assert_accepted_and_rolled_back(spec)
