"""A streaming endpoint: once the model is enabled, its `generate()` is called as ever. Needs `pip install fastapi`.

Serve it with `uvicorn examples.serving:app`; run as a program, it calls itself. The size of a request, the number of
tokens and the time are bounded; when the client has gone, decoding ends with the next pass.
"""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator
from threading import BoundedSemaphore, Event, Thread
from typing import Annotated, Any

import torch
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

import ngramspec
from ngramspec.pico import repeat_prompt

MOST_CHARACTERS = 2_000  # of the text that a client sends; there is no body
MOST_TOKENS = 250
MOST_SECONDS = 60.0  # of an answer; the pass running then is its last
MOST_CALLS = 4  # at a time; further calls get 503 with Retry-After
LOOK_EVERY = 0.05  # seconds from one check for the client to the next

model, tokenizer = ngramspec.load_pico()
enabled = ngramspec.enable(model)
calls = BoundedSemaphore(MOST_CALLS)
app = FastAPI()


class Unheard(StoppingCriteria):
    """Ends a text whose client has gone, or that takes too long."""

    def __init__(self, is_over: Event, until: float) -> None:
        self.is_over = is_over
        self.until = until

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        ends = self.is_over.is_set() or time.monotonic() > self.until
        return torch.full((len(input_ids),), ends, dtype=torch.bool, device=input_ids.device)


def decode(arguments: dict[str, Any]) -> None:
    try:
        model.generate(**arguments)
    finally:
        calls.release()


@app.get("/repeat")
async def repeat(
    request: Request,
    text: Annotated[str, Query(max_length=MOST_CHARACTERS)],
    max_new_tokens: Annotated[int, Query(ge=1, le=MOST_TOKENS)] = 96,
) -> StreamingResponse:
    inputs = tokenizer(repeat_prompt(text), return_tensors="pt")
    if inputs["input_ids"].shape[1] + max_new_tokens > model.config.max_position_embeddings:
        raise HTTPException(413, "text and answer must fit the model's positions: shorten one of them")
    if not calls.acquire(blocking=False):
        raise HTTPException(503, "too many calls at a time: try again", headers={"Retry-After": "1"})
    is_over, until = Event(), time.monotonic() + MOST_SECONDS
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    criteria = StoppingCriteriaList([Unheard(is_over, until)])
    arguments = {**inputs, "max_new_tokens": max_new_tokens, "streamer": streamer, "stopping_criteria": criteria}
    thread = Thread(target=decode, args=[{**arguments, "segment": "repeat"}], daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system has no more threads
        calls.release()
        raise

    async def pieces() -> AsyncIterator[str]:
        try:
            while time.monotonic() < until + LOOK_EVERY and not await request.is_disconnected():
                while not streamer.text_queue.empty():
                    piece = streamer.text_queue.get_nowait()
                    if piece == streamer.stop_signal:  # it comes even after an error
                        return
                    yield piece
                await asyncio.sleep(LOOK_EVERY)
        finally:  # the client has gone, or the answer is complete
            is_over.set()

    body = pieces()
    weakref.finalize(body, is_over.set)  # also where the client has gone before the first piece
    return StreamingResponse(body, media_type="text/plain")


if __name__ == "__main__":
    from fastapi.testclient import TestClient  # needs httpx2

    TEXT = "An endpoint streams each token once, in order,\nand nothing in it knows of drafts."
    answer = TestClient(app).get("/repeat", params={"text": TEXT}).text
    print(answer)
    print(enabled.spec.stats)

    ngramspec.disable(model)
    inputs = tokenizer(repeat_prompt(TEXT), return_tensors="pt")
    plain = model.generate(**inputs, max_new_tokens=96)[0, inputs["input_ids"].shape[1] :]
    assert answer == tokenizer.decode(plain, skip_special_tokens=True)
