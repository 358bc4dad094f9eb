"""Libraries that call `model.generate()` get the same text, with drafts, once the model is enabled."""

import copy
import threading
from collections.abc import Iterator
from typing import Any

import outlines
import pytest
import torch
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from transformers import TextIteratorStreamer, pipeline

import ngramspec
from ngramspec import FixedBudget, Speculator
from ngramspec.pico import edit_prompt, repeat_prompt
from ngramspec.testing import OracleDrafter
from tests.hf.choice.constraints import REGEX
from tests.hf.choice.test_stateful_processors import BACKENDS, writer
from tests.hf.choice.test_stateful_processors import TOKENIZER as WRITERS_TOKENIZER
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.entry.test_enable import CALL
from tests.hf.entry.test_enable_refused import bart, collected
from tests.hf.models import EOS, VOCABULARY, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdefghij")
PROMPTS = [
    edit_prompt("lines", "rows", "def f(path):\n    lines = []\n    return lines"),
    repeat_prompt("The same text in fewer passes."),
]


@pytest.fixture(scope="module")
def pico() -> tuple[Any, Any]:
    return ngramspec.load_pico()


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_text_generation_pipeline(pico: tuple[Any, Any], batch_size: int) -> None:
    model, tokenizer = pico
    generate = pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
    tokenizer.padding_side = "left"
    call = {"batch_size": batch_size, "max_new_tokens": 48, "do_sample": False, "return_full_text": False}
    plain = generate(PROMPTS, **call)
    with ngramspec.enable(model) as spec:
        assert plain == generate(PROMPTS, **call)
    assert_accepted_and_rolled_back(spec)
    assert spec.stats.total.tokens_per_pass > 1.5


def test_a_pipeline_made_of_an_enabled_model() -> None:
    """A pipeline puts settings of its own into the model's configuration, and moves the model."""
    model = copy.deepcopy(tiny("llama"))
    call = {"max_new_tokens": 24, "do_sample": False, "return_full_text": False}
    plain = pipeline("text-generation", model=copy.deepcopy(model), tokenizer=TOKENIZER, device="cpu")("abcab", **call)
    spec = Speculator(OracleDrafter([TOKENIZER(plain[0]["generated_text"]).input_ids], VOCABULARY, corrupted=1.0))
    with ngramspec.enable(model, spec):
        assert plain == pipeline("text-generation", model=model, tokenizer=TOKENIZER, device="cpu")("abcab", **call)
    assert_accepted_and_rolled_back(spec)


def test_a_summariser_with_beams() -> None:
    """transformers 5 has no summarization pipeline any more: summarisers are called through `generate()`."""
    with pytest.raises(KeyError, match="summarization"):
        pipeline("summarization", model=tiny("llama"), tokenizer=TOKENIZER)  # type: ignore[call-overload]
    model = bart(num_beams=4, max_new_tokens=12, early_stopping=True)
    inputs = TOKENIZER(["abcabcab", "hijhij"], return_tensors="pt", padding=True, return_token_type_ids=False)
    plain = TOKENIZER.batch_decode(model.generate(**inputs))
    with ngramspec.enable(model), collected() as messages:
        for _ in range(2):
            assert plain == TOKENIZER.batch_decode(model.generate(**inputs))
    assert [True] == ["beam_search (num_beams=4)" in message for message in messages]


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize("backend", BACKENDS)
def test_outlines(backend: str) -> None:
    model = writer()
    constrained = outlines.from_transformers(model, WRITERS_TOKENIZER)
    arguments: dict[str, Any] = {"backend": backend, "max_new_tokens": 45, "eos_token_id": EOS}
    regex = outlines.types.Regex(REGEX)
    plain = constrained("ab{:01}", regex, **arguments)
    drafter = OracleDrafter([[*WRITERS_TOKENIZER(plain).input_ids, EOS]], len(WRITERS_TOKENIZER), corrupted=1.0)
    with ngramspec.enable(model, Speculator(drafter, FixedBudget(10))) as spec:
        assert plain == constrained("ab{:01}", regex, **arguments)
    assert_accepted_and_rolled_back(spec)


def test_a_streaming_endpoint(pico: tuple[Any, Any]) -> None:
    model, tokenizer = pico
    app = FastAPI()

    @app.get("/")
    def answer(number: int) -> StreamingResponse:
        inputs = tokenizer(PROMPTS[number], return_tensors="pt")
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=60)
        call = {**inputs, "streamer": streamer, "max_new_tokens": 48}

        def pieces() -> Iterator[str]:
            thread = threading.Thread(target=model.generate, kwargs=call)
            thread.start()
            yield from streamer
            thread.join()

        return StreamingResponse(pieces(), media_type="text/plain")

    client = TestClient(app)
    plain = [client.get("/", params={"number": number}).text for number in range(2)]
    with ngramspec.enable(model) as spec:
        assert plain == [client.get("/", params={"number": number}).text for number in range(2)]
    assert_accepted_and_rolled_back(spec)
    assert all(plain)


@pytest.mark.parametrize("form", ["torch.compile(model)", "model.compile()"])
def test_a_compiled_model(form: str) -> None:
    """Without a compiler (`eager`): what counts is that graphs are captured and guarded as for any caller."""
    model: Any = copy.deepcopy(tiny("llama"))
    call = {**CALL, "max_new_tokens": 6}
    plain = model.generate(**call)
    if form == "torch.compile(model)":
        model = torch.compile(model, backend="eager")
    else:
        model.compile(backend="eager")
    with ngramspec.enable(model, oracle(plain)) as spec:
        assert plain.tolist() == model.generate(**call).tolist()
    assert_accepted_and_rolled_back(spec)
