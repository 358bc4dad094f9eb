"""The same text in fewer passes: one argument more than plain generate()."""

import torch

import ngramspec
from ngramspec.pico import edit_prompt

FUNCTION = """def read_lines(path):
    lines = []
    with open(path) as file:
        for line in file:
            lines.append(line.strip())
    return lines"""

model, tokenizer = ngramspec.load_pico()  # the packaged model; any causal model of transformers works the same way
inputs = tokenizer(edit_prompt("lines", "rows", FUNCTION), return_tensors="pt")

spec = ngramspec.Speculator()
output = model.generate(**inputs, custom_generate=spec, max_new_tokens=128)

print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
print(spec.stats)

plain = model.generate(**inputs, max_new_tokens=128)
assert torch.equal(output, plain)
