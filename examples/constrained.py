"""A JSON schema stays exact while drafts are accepted and thrown away: Outlines' own processor, unchanged.

It keeps a state that moves with every call, so it fails where calls are made for tokens that are rejected later.
Here it sees each emitted token once, as in plain decoding. Needs `pip install outlines`.
"""

import outlines
from pydantic import BaseModel, Field

import ngramspec
from ngramspec.pico import extract_prompt


class Order(BaseModel):
    city: str = Field(max_length=20)
    date: str = Field(pattern=r"\d{4}-\d{2}-\d{2}")


MAIL = "Please send 12 chairs to Hanna Voss, Bremen, by 2026-03-14."

model, tokenizer = ngramspec.load_pico()
constrained = outlines.from_transformers(model, tokenizer)
prompt = extract_prompt(MAIL, ["city", "date"])

spec = ngramspec.Speculator()
text = constrained(prompt, Order, custom_generate=spec, max_new_tokens=128)
print(text)
print(spec.stats)

assert Order.model_validate_json(text)
assert text == constrained(prompt, Order, max_new_tokens=128)
assert spec.stats.total.num_accepted_tokens > 0
