"""A stream ends, once, whatever is raised: under `enable` and through a Speculator, before and while decoding."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TextIteratorStreamer
from transformers.generation.streamers import BaseStreamer

import ngramspec
from ngramspec import Speculator
from tests.hf.models import EOS, VOCABULARY, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdefghij")
TIMEOUT = 60  # seconds until a reader counts as hanging; far longer than any waits


class Interrupts:
    """A processor, or a hook, that raises at its third call."""

    def __init__(self, error: BaseException) -> None:
        self.num_calls, self.error = 0, error

    def __call__(self, *arguments: Any) -> Any:
        self.num_calls += 1
        if self.num_calls == 3:
            raise self.error
        return arguments[1] if len(arguments) == 2 else None


class Ends(BaseStreamer):
    """Counts its ends."""

    def __init__(self, fails_at: int = 0) -> None:
        self.num_ends, self.num_puts, self.fails_at = 0, 0, fails_at

    def put(self, value: Any) -> None:
        self.num_puts += 1
        if self.num_puts == self.fails_at:
            raise BrokenPipeError("the reader has gone")

    def end(self) -> None:
        self.num_ends += 1


Call = dict[str, Any]
PROMPT = padded_prompts(1)

FAILING: dict[str, Callable[[], Call]] = {
    "a token that the model lacks": lambda: {"input_ids": torch.tensor([[5, 2000]])},
    "no token": lambda: {"input_ids": torch.zeros((1, 0), dtype=torch.long)},
    "beam search": lambda: PROMPT | {"num_beams": 2},
    "an unknown argument": lambda: PROMPT | {"max_new_tokenz": 3},
    "a length of no tokens": lambda: PROMPT | {"max_new_tokens": 0},
    "a segment that is none": lambda: PROMPT | {"segment": 5},
    "a salt that is none": lambda: PROMPT | {"segment": "a", "cache_salt": ""},
    "references that are none": lambda: PROMPT | {"references": 5},
    "stop strings without a tokenizer": lambda: PROMPT | {"stop_strings": ["a"]},
    "an error in a processor": lambda: PROMPT | {"logits_processor": [Interrupts(ZeroDivisionError())]},
    "an interrupt in a processor": lambda: PROMPT | {"logits_processor": [Interrupts(KeyboardInterrupt())]},
    "an error in a criterion": lambda: PROMPT | {"stopping_criteria": [Interrupts(ZeroDivisionError())]},
    "an assistant that is none": lambda: PROMPT | {"assistant_model": 5},
    "lookup of no tokens": lambda: PROMPT | {"prompt_lookup_num_tokens": -1},
}


@pytest.fixture
def enabled() -> Iterator[Any]:
    model = tiny("llama")
    with ngramspec.enable(model):
        yield model


@pytest.mark.parametrize("call", FAILING.values(), ids=FAILING.keys())
def test_a_stream_of_an_enabled_model_ends_once_whatever_is_raised(enabled: Any, call: Callable[[], Call]) -> None:
    streamer = Ends()
    with pytest.raises((Exception, KeyboardInterrupt)):
        enabled.generate(**{"max_new_tokens": 8, "eos_token_id": EOS} | call(), streamer=streamer)
    assert 1 == streamer.num_ends


@pytest.mark.parametrize("call", FAILING.values(), ids=FAILING.keys())
def test_a_stream_through_a_speculator_ends_once_whatever_is_raised(call: Callable[[], Call]) -> None:
    streamer = Ends()
    arguments: Call = {"max_new_tokens": 8} | call()
    with pytest.raises((Exception, KeyboardInterrupt)):
        Speculator().generate(tiny("llama"), **arguments, streamer=streamer)
    assert 1 == streamer.num_ends


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError(), MemoryError()])
def test_a_stream_ends_once_where_the_model_raises(enabled: Any, error: BaseException) -> None:
    hook = enabled.register_forward_pre_hook(Interrupts(error))
    streamer = Ends()
    try:
        with pytest.raises(type(error)):
            enabled.generate(**PROMPT, max_new_tokens=8, streamer=streamer)
    finally:
        hook.remove()
    assert 1 == streamer.num_ends


@pytest.mark.parametrize("fails_at", [1, 2, 4])
def test_a_stream_ends_once_where_its_reader_raises(enabled: Any, fails_at: int) -> None:
    streamer = Ends(fails_at)
    with pytest.raises(BrokenPipeError):
        enabled.generate(**PROMPT, max_new_tokens=8, streamer=streamer)
    assert 1 == streamer.num_ends


def test_a_streamer_given_by_position_ends_too(enabled: Any) -> None:
    streamer = Ends()
    with pytest.raises(TypeError, match="takes at most 11 arguments by position, got 12"):
        enabled.generate(PROMPT["input_ids"], *[None] * 6, streamer, *[None] * 4)
    assert 1 == streamer.num_ends
    enabled.generate(PROMPT["input_ids"], *[None] * 6, streamer, max_new_tokens=4)
    assert 2 == streamer.num_ends
    assert streamer.num_puts > 1


def test_a_streamer_given_by_position_and_by_name_ends_once(enabled: Any) -> None:
    by_position, by_name = Ends(), Ends()
    with pytest.raises(TypeError, match="got multiple values for argument 'streamer'"):
        enabled.generate(PROMPT["input_ids"], *[None] * 7, streamer=by_name)
    assert 1 == by_name.num_ends
    with pytest.raises(TypeError, match="got multiple values for argument 'streamer'"):
        enabled.generate(PROMPT["input_ids"], *[None] * 6, by_position, streamer=by_name)
    assert (1, 2) == (by_position.num_ends, by_name.num_ends)
    with pytest.raises(TypeError, match="got multiple values for argument 'streamer'"):
        enabled.generate(PROMPT["input_ids"], *[None] * 6, by_name, streamer=by_name)
    assert 3 == by_name.num_ends


NAMES = ["streamer", "streamers", "generation_config", "assistant_model", "negative_prompt_ids", "attention_mask"]


@given(
    positions=st.sets(st.sampled_from([*range(1, 10), 11]), max_size=3),  # at 10 is a loop of the caller's own
    num_positions=st.integers(0, 12),
    names=st.sets(st.sampled_from(NAMES), max_size=2),
    is_one=st.booleans(),
    failing=st.sampled_from([None, *FAILING]),
)
@settings(max_examples=200, deadline=None)
def test_every_streamer_of_a_call_that_raises_ends_once_however_it_is_given(
    positions: set[int], num_positions: int, names: set[str], is_one: bool, failing: str | None
) -> None:
    """At any position and by any name, the same one or several; as the right argument or as another."""
    one = Ends()
    call: Call = {"max_new_tokens": 4, "eos_token_id": EOS} | (PROMPT if failing is None else FAILING[failing]())
    positional: list[Any] = [None] * num_positions
    for position in positions & set(range(num_positions)):
        positional[position] = one if is_one else Ends()
    if positional:
        positional[0] = call.pop("input_ids")
    call |= {name: one if is_one else Ends() for name in names}
    given = {id(each): each for each in (*positional, *call.values()) if isinstance(each, Ends)}.values()
    right = [each for each in (*positional[7:8], call.get("streamer")) if each is not None]
    model = tiny("llama")
    with ngramspec.enable(model):
        try:
            model.generate(*positional, **call)
        except (Exception, KeyboardInterrupt):
            expected = list(given)
        else:
            assert failing is None
            expected = right
    assert [int(any(each is other for other in expected)) for each in given] == [each.num_ends for each in given]


def test_a_streamer_under_a_name_of_the_models_own_is_left_to_it(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some models take a second one, for sound."""
    monkeypatch.setattr(type(enabled), "_validate_model_kwargs", lambda self, kwargs: None)
    text, sound = Ends(), Ends()
    enabled.generate(**PROMPT, max_new_tokens=4, streamer=text, audio_streamer=sound)
    assert (1, 0) == (text.num_ends, sound.num_ends)


def test_a_stream_of_what_is_no_model_ends() -> None:
    streamer = Ends()
    with pytest.raises(TypeError, match="model"):
        Speculator().generate("pico", streamer=streamer)
    assert 1 == streamer.num_ends


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_in_another_thread_never_waits_for_ever(enabled: Any) -> None:
    streamer = TextIteratorStreamer(TOKENIZER, skip_prompt=True, timeout=TIMEOUT)
    call = {"input_ids": torch.tensor([[5, VOCABULARY + 7]]), "max_new_tokens": 8, "streamer": streamer}
    thread = threading.Thread(target=enabled.generate, kwargs=call)
    thread.start()
    assert [""] == list(streamer) or [] == list(streamer)
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_a_call_that_goes_its_own_way_streams_as_ever(enabled: Any) -> None:
    own, plain = Ends(), Ends()
    call = PROMPT | {"max_new_tokens": 8, "eos_token_id": None, "prompt_lookup_num_tokens": 2}
    text = enabled.generate(**call, streamer=own)
    ngramspec.disable(enabled)
    assert torch.equal(enabled.generate(**call, streamer=plain), text)
    assert (1, plain.num_puts) == (own.num_ends, own.num_puts)
