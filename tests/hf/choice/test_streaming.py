"""Streaming through `spec.generate`: the `put` calls of plain decoding, and always one `end`."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GenerationConfig, TextIteratorStreamer, TextStreamer
from transformers.generation.logits_process import LogitsProcessor
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList, StopStringCriteria
from transformers.generation.streamers import BaseStreamer

from ngramspec import FixedBudget, NgramspecWarning, PromptError, RefusedError, Speculator
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import SEED, assert_accepted_and_rolled_back, oracle
from tests.hf.drafters import NoDrafter
from tests.hf.entry.test_refusals import undrafted
from tests.hf.models import EOS, FAMILIES, MAX_POSITIONS, VOCABULARY, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdefghij")
TIMEOUT = 20  # seconds until a consumer counts as hanging; far longer than any waits


class Recorder(BaseStreamer):
    """Writes down what is put, with shapes, types and devices, and every end."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = log if log is not None else []

    def put(self, value: Tensor) -> None:
        self.log.append(("put", value.tolist(), list(value.shape), value.dtype, value.device.type))

    def end(self) -> None:
        self.log.append("end")


class Logs(LogitsProcessor, StoppingCriteria):
    """A processor and a criterion that write to the streamer's log: who is called when."""

    def __init__(self, log: list[Any], name: str, answer: Callable[[Tensor, Any], Any]) -> None:
        self.log = log
        self.name = name
        self.answer = answer

    def __call__(self, input_ids: Tensor, scores: Any) -> Any:
        self.log.append((self.name, input_ids.tolist()))
        return self.answer(input_ids, scores)


in_all_ways = pytest.mark.parametrize(
    ("batch", "do_sample"),
    [(1, False), (1, True), (3, False), (3, True)],
    ids=["alone-greedy", "alone-sampled", "batch-greedy", "batch-sampled"],
)


def streams(model: Any, call: dict[str, Any], make: Callable[[], tuple[Recorder, dict[str, Any]]]) -> list[list[Any]]:
    """The logs of a plain and of a speculative call."""
    batch, length = call["input_ids"].shape
    streamer, more = make()
    torch.manual_seed(SEED)
    if batch > 1 and call["do_sample"]:  # each row then draws from its own generator
        plain = Speculator(NoDrafter(), FixedBudget(0)).generate(model, **call, **more, streamer=streamer)
    else:
        plain = model.generate(**call, **more, streamer=streamer)
    spec = Speculator(OracleDrafter.of_output(plain, length, VOCABULARY, seed=3))
    speculative, more = make()
    torch.manual_seed(SEED)
    assert plain.tolist() == spec.generate(model, **call, **more, streamer=speculative).tolist()
    assert_accepted_and_rolled_back(spec)
    return [streamer.log, speculative.log]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("end", [[EOS, 7], None], ids=["ends", "endless"])
@in_all_ways
def test_a_streamer_gets_the_puts_of_plain_decoding(
    family: str, end: list[int] | None, batch: int, do_sample: bool
) -> None:
    call: dict[str, Any] = {
        **padded_prompts(batch, seed=5),
        "max_new_tokens": 30,
        "min_new_tokens": 9,
        "eos_token_id": end,
        "do_sample": do_sample,
    }
    plain, speculative = streams(tiny(family), call, lambda: (Recorder(), {}))
    assert plain == speculative
    assert plain[-1] == "end"
    assert plain.count("end") == 1


@pytest.mark.parametrize("batch", [1, 3])
def test_puts_come_between_the_same_calls_of_processors_and_criteria(batch: int) -> None:
    def make() -> tuple[Recorder, dict[str, Any]]:
        log: list[Any] = []
        processor = Logs(log, "processor", lambda _, scores: scores)
        criterion = Logs(log, "criterion", lambda text, _: text[:, -1] == 7)
        return Recorder(log), {"logits_processor": [processor], "stopping_criteria": [criterion]}

    call: dict[str, Any] = {
        **padded_prompts(batch, seed=6),
        "max_new_tokens": 30,
        "eos_token_id": EOS,
        "do_sample": False,
    }
    plain, speculative = streams(tiny("llama"), call, make)
    assert plain == speculative


@pytest.mark.usefixtures("trusted")
def test_tokens_are_put_as_soon_as_the_rows_have_them() -> None:
    """A column waits for the slowest live row, and for no other."""
    spec = Speculator(NoDrafter())
    log: list[Any] = []
    model = tiny("llama")
    handle = model.register_forward_pre_hook(lambda *_: log.append("pass"))
    try:
        spec.generate(model, **padded_prompts(3), max_new_tokens=6, streamer=Recorder(log))
    finally:
        handle.remove()
    assert [entry if isinstance(entry, str) else entry[0] for entry in log] == ["put", *["pass", "put"] * 6, "end"]


def test_a_text_streamer_prints_the_text_of_plain_decoding(capsys: pytest.CaptureFixture[str]) -> None:
    call: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 30, "eos_token_id": EOS}
    tiny("llama").generate(**call, streamer=TextStreamer(TOKENIZER, skip_prompt=True))
    plain = capsys.readouterr().out
    Speculator().generate(tiny("llama"), **call, streamer=TextStreamer(TOKENIZER, skip_prompt=True))
    assert plain == capsys.readouterr().out
    assert len(plain) > 10


@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_that_cannot_roll_back_streams_as_plain(batch: int) -> None:
    model = undrafted("recurrent_gemma")
    call: dict[str, Any] = {**padded_prompts(batch), "max_new_tokens": 12, "eos_token_id": EOS}
    plain, speculative = Recorder(), Recorder()
    model.generate(**call, streamer=plain)
    with pytest.warns(NgramspecWarning):
        Speculator().generate(model, **call, streamer=speculative)
    assert plain.log == speculative.log


class Fails(LogitsProcessor, StoppingCriteria):
    """Raises at its seventh call."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.num_calls = 0

    def __call__(self, input_ids: Tensor, scores: Any) -> Any:
        self.num_calls += 1
        if self.num_calls == 7:
            raise self.error
        return scores if scores is not None else torch.zeros(len(input_ids), dtype=torch.bool)


FAILURES: dict[str, tuple[Callable[[], dict[str, Any]], type[Any]]] = {
    "nothing fails": (lambda: {}, type(None)),
    "a processor raises": (lambda: {"logits_processor": [Fails(OSError("broken"))]}, OSError),
    "a criterion raises": (lambda: {"stopping_criteria": [Fails(OSError("broken"))]}, OSError),
    "an interrupt": (lambda: {"logits_processor": [Fails(KeyboardInterrupt())]}, KeyboardInterrupt),
    "refused mode": (lambda: {"num_beams": 3}, RefusedError),
    "refused argument": (lambda: {"synced_gpus": True}, RefusedError),
    "refused cache": (lambda: {"cache_implementation": "paged"}, RefusedError),
    "empty prompt": (lambda: {"input_ids": torch.empty((1, 0), dtype=torch.long), "attention_mask": None}, ValueError),
    "long prompt": (lambda: padded_prompts(1, MAX_POSITIONS + 1), PromptError),
    "unknown id": (lambda: {"input_ids": torch.tensor([[3, VOCABULARY]]), "attention_mask": None}, PromptError),
    "unknown argument": (lambda: {"no_such_argument": 1}, ValueError),
    "stop strings without a tokenizer": (lambda: {"stop_strings": ["b"], "tokenizer": None}, ValueError),
}


@pytest.mark.parametrize(("arguments", "error"), FAILURES.values(), ids=FAILURES)
def test_a_consumer_in_another_thread_never_hangs(arguments: Callable[[], dict[str, Any]], error: type[Any]) -> None:
    streamer = TextIteratorStreamer(TOKENIZER, timeout=TIMEOUT)
    consumed: list[str] = []
    consumer = threading.Thread(target=lambda: consumed.extend(streamer), daemon=True)
    consumer.start()
    raised: BaseException | None = None
    call: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 30, "eos_token_id": EOS, "streamer": streamer}
    try:
        Speculator().generate(tiny("llama"), **{**call, **arguments()})
    except BaseException as caught:
        raised = caught
    consumer.join(TIMEOUT)
    assert not consumer.is_alive(), "the consumer hangs"
    assert isinstance(raised, error)


def fails(name: str) -> dict[str, Any]:
    return {name: [Fails(OSError("broken"))]}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["logits_processor", "stopping_criteria"])
def test_what_was_put_before_a_failure_is_what_plain_decoding_put(name: str, batch: int) -> None:
    call: dict[str, Any] = {**padded_prompts(batch), "max_new_tokens": 30}
    expected = tiny("llama").generate(**call)
    plain, speculative = Recorder(), Recorder()
    with pytest.raises(OSError, match="broken"):
        tiny("llama").generate(**call, **fails(name), streamer=plain)
    spec = Speculator(OracleDrafter.of_output(expected, 9, VOCABULARY, seed=3))
    with pytest.raises(OSError, match="broken"):
        spec.generate(tiny("llama"), **call, **fails(name), streamer=speculative)
    assert [*plain.log, "end"] == speculative.log
    assert len(plain.log) == 7  # the prompt, and the six tokens that both calls let through


class FailingStreamer(Recorder):
    """Raises at its seventh put."""

    def put(self, value: Tensor) -> None:
        super().put(value)
        if len(self.log) == 7:
            raise OSError("pipe closed")


def test_a_streamer_that_raises_ends_the_call_and_is_ended() -> None:
    for batch in (1, 3):
        spec, streamer = Speculator(), FailingStreamer()
        with pytest.raises(OSError, match="pipe closed"):
            spec.generate(tiny("llama"), **padded_prompts(batch), max_new_tokens=30, streamer=streamer)
        assert len(streamer.log) == 8
        assert streamer.log[-1] == "end"


STOPS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "arguments": lambda stops: {"stop_strings": stops, "max_new_tokens": 30},
    "a generation config": lambda stops: {
        "generation_config": GenerationConfig(stop_strings=stops, max_new_tokens=30, pad_token_id=0, eos_token_id=EOS)
    },
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("stops", ["b", ["bh", "fb", "hb"]], ids=["one", "several"])
@pytest.mark.parametrize("given", STOPS.values(), ids=STOPS)
def test_stop_strings_end_rows_where_plain_decoding_ends_them(
    given: Callable[[Any], dict[str, Any]], stops: str | list[str], batch: int
) -> None:
    model = tiny("llama")
    call: dict[str, Any] = {**padded_prompts(batch, seed=5), **given(stops), "tokenizer": TOKENIZER}
    plain = model.generate(**call)
    spec = oracle(plain)
    assert plain.tolist() == spec.generate(model, **call).tolist()
    assert plain.shape[1] < 9 + 30, "no stop string was met: nothing was seen"
    assert_accepted_and_rolled_back(spec)


def test_stop_strings_of_the_model_itself_end_rows_too() -> None:
    model, call = tiny("mixtral"), {**padded_prompts(1, seed=5), "max_new_tokens": 30, "tokenizer": TOKENIZER}
    usual = model.generation_config
    model.generation_config = GenerationConfig(pad_token_id=0, stop_strings=["je", "ee"])
    try:
        plain = model.generate(**call)
        assert plain.shape[1] < 9 + 30
        spec = oracle(plain)
        assert plain.tolist() == spec.generate(model, **call).tolist()
        assert_accepted_and_rolled_back(spec)
        overridden = model.generate(**call, stop_strings=["abcdefghij"])
        assert overridden.shape[1] == 9 + 30
        spec = oracle(overridden)
        assert overridden.tolist() == spec.generate(model, **call, stop_strings=["abcdefghij"]).tolist()
        assert_accepted_and_rolled_back(spec)
        assert model.generation_config.stop_strings == ["je", "ee"], "the model's own settings were changed"
    finally:
        model.generation_config = usual


def test_a_stop_string_criterion_of_the_callers_replaces_the_one_made_from_the_arguments() -> None:
    model: Any = tiny("llama")
    for batch in (1, 3):
        call: dict[str, Any] = {**padded_prompts(batch), "max_new_tokens": 30, "eos_token_id": EOS}
        call |= {"tokenizer": TOKENIZER, "stop_strings": ["b"]}
        own = StoppingCriteriaList([StopStringCriteria(TOKENIZER, ["fg"])])
        plain = model.generate(**call, stopping_criteria=own)
        spec = oracle(plain)
        assert plain.tolist() == spec.generate(model, **call, stopping_criteria=own).tolist()
        assert_accepted_and_rolled_back(spec)


def test_stop_strings_join_the_criteria_of_the_caller() -> None:
    call: dict[str, Any] = {
        **padded_prompts(1, seed=5),
        "max_new_tokens": 30,
        "stop_strings": ["bh"],
        "tokenizer": TOKENIZER,
    }
    criterion = Logs([], "criterion", lambda text, _: text[:, -1] == 7)
    plain = tiny("llama").generate(**call, stopping_criteria=[criterion])
    criteria: Any = [criterion]
    spec = oracle(plain, seed=1)
    assert plain.tolist() == spec.generate(tiny("llama"), **call, stopping_criteria=criteria).tolist()
    assert_accepted_and_rolled_back(spec)
    assert criteria == [criterion], "the caller's own list was changed"


def test_arguments_and_configs_of_the_caller_stay_as_they_are() -> None:
    config = GenerationConfig(stop_strings=["bh"], max_new_tokens=12, pad_token_id=0)
    before = config.to_dict()
    spec = Speculator()
    spec.generate(tiny("llama"), **padded_prompts(1), generation_config=config, tokenizer=TOKENIZER)
    assert before == config.to_dict()
