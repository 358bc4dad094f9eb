"""Streaming: text arrives while it is generated. spec.generate() takes the streamer, which generate() drops."""

from threading import Thread

from transformers import TextIteratorStreamer

import ngramspec
from ngramspec.pico import repeat_prompt

PROMPT = repeat_prompt("A streamer gets each token once, in order,\nand its end also when decoding fails.")

model, tokenizer = ngramspec.load_pico()
spec = ngramspec.Speculator()
inputs = tokenizer(PROMPT, return_tensors="pt")
streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)

arguments = {**inputs, "streamer": streamer, "max_new_tokens": 96}
thread = Thread(target=spec.generate, args=(model,), kwargs=arguments)
thread.start()
pieces = []
for piece in streamer:
    print(piece, end="", flush=True)
    pieces.append(piece)
thread.join()
print(f"\n{spec.stats}")

plain = model.generate(**inputs, max_new_tokens=96)[0, inputs["input_ids"].shape[1] :]
assert "".join(pieces) == tokenizer.decode(plain, skip_special_tokens=True)
assert len(pieces) > 2
