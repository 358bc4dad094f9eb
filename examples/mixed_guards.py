"""One batch, a guard of its own for each row: a schema, a grammar of the package, a choice, a regex, and a free row."""

import json

import ngramspec
from ngramspec import Guard
from ngramspec.pico import extract_prompt, repeat_prompt

model, tokenizer = ngramspec.load_pico()
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}

ROWS: list[tuple[str, Guard | None]] = [
    (
        extract_prompt("Meet Hanna Voss. Lives in Bremen. Age: 41.", {"name": "", "age": 0}),
        Guard.json_schema(PERSON, tokenizer, whitespace="compact"),
    ),
    (repeat_prompt("SELECT group FROM person WHERE age > 40"), Guard.load("sql-select", tokenizer)),
    (repeat_prompt("maybe"), Guard.choice(["yes", "no"], tokenizer)),
    (repeat_prompt("On 2026-02-29 we met."), Guard.regex(r"On 2026-02-(0[1-9]|1\d|2[0-8]) we met\.", tokenizer)),
    (repeat_prompt("Nothing guards this row."), None),
]

prompts, guards = zip(*ROWS, strict=True)
inputs = tokenizer(list(prompts), return_tensors="pt", padding=True, padding_side="left")
spec = ngramspec.Speculator()
arguments = {**inputs, "logits_processor": [Guard.per_row(guards)], "max_new_tokens": 48}
output = model.generate(**arguments, custom_generate=spec)

texts = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
for text, guard in zip(texts, guards, strict=True):
    print(f"{text:45} {guard!r}")
    assert guard is None or guard.accepts(text)
print(spec.stats)

assert set(json.loads(texts[0])) == {"name", "age"}
assert texts[4] == "Nothing guards this row."
