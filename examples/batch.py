"""A batch: each row advances by as much of its own draft as was accepted; statistics add up by segment."""

import torch

import ngramspec
from ngramspec.pico import extract_prompt, repeat_prompt

MAILS = [
    "Please send 12 chairs to Hanna Voss, Bremen, by 2026-03-14.",
    "Peter Lindqvist of Almado Ltd. in Oslo asks for 3 lamps. He needs them on 2026-05-02 at the latest.",
    "Order 7781: 40 shelves, Turin, 2026-07-30.",
]

model, tokenizer = ngramspec.load_pico()
spec = ngramspec.Speculator()

for segment, prompts in {
    "orders": [extract_prompt(mail, ["city", "date"]) for mail in MAILS],
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
assert spec.stats.segments["copies"].tokens_per_pass > 1.5
