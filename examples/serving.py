"""A streaming endpoint: once the model is enabled, its `generate()` is called as ever. Needs `pip install fastapi`.

Serve it with `uvicorn examples.serving:app`; run as a program, it asks itself.
"""

from collections.abc import Iterator
from threading import Thread

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from transformers import TextIteratorStreamer

import ngramspec
from ngramspec.pico import repeat_prompt

model, tokenizer = ngramspec.load_pico()
enabled = ngramspec.enable(model)
app = FastAPI()


@app.get("/repeat")
def repeat(text: str) -> StreamingResponse:
    inputs = tokenizer(repeat_prompt(text), return_tensors="pt")
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    arguments = {**inputs, "streamer": streamer, "max_new_tokens": 96, "segment": "repeat"}

    def pieces() -> Iterator[str]:
        thread = Thread(target=model.generate, kwargs=arguments)
        thread.start()
        yield from streamer
        thread.join()

    return StreamingResponse(pieces(), media_type="text/plain")


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
