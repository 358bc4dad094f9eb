"""A batch: each row advances by as much of its own draft as was accepted; statistics add up by segment."""

import torch

import ngramspec
from ngramspec.pico import extract_prompt, repeat_prompt

MAILS = [
    "Order K/5517 came in. The item is a green lamp. Ordered by Hanna Voss. Ship it to Bremen.",
    "Deliver to Turin. The order number is B/20934. Quantity: 12. Product: steel chair. Nothing else is known.",
    "Order: M/818. Someone bought the oak shelf. It goes to Oslo.",
]

model, tokenizer = ngramspec.load_pico()
spec = ngramspec.Speculator()

for segment, prompts in {
    "orders": [extract_prompt(mail, {"order": "", "ship_to": ""}) for mail in MAILS],
    "copies": [repeat_prompt(mail) for mail in MAILS],
}.items():
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    output = model.generate(**inputs, custom_generate=spec, segment=segment, max_new_tokens=96)
    for text in tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True):
        print(text)
    assert torch.equal(output, model.generate(**inputs, max_new_tokens=96))

print(spec.stats)
assert list(spec.stats.segments) == ["orders", "copies"]
assert spec.stats.total.requests == 6
