"""A JSON schema stays exact while drafts are accepted and rolled back: Outlines' own processor, unchanged.

It keeps a state that advances with every call, so calls for tokens that are rejected later would break it.
Here it sees each emitted token once, as in plain decoding. Needs `pip install outlines`.
"""

import outlines
from pydantic import BaseModel, Field

import ngramspec
from ngramspec.pico import extract_prompt


class Order(BaseModel):
    order: str = Field(pattern=r"[A-Z]/\d{3,5}")
    quantity: int = Field(ge=1, le=999)
    ship_to: str = Field(max_length=20)


MAIL = "Deliver to Turin. The order number is B/20934. Quantity: 12. There were no complaints so far."

model, tokenizer = ngramspec.load_pico()
constrained = outlines.from_transformers(model, tokenizer)
prompt = extract_prompt(MAIL, dict.fromkeys(Order.model_fields, ""))

spec = ngramspec.Speculator()
text = constrained(prompt, Order, custom_generate=spec, max_new_tokens=128)
print(text)
print(spec.stats)

assert Order.model_validate_json(text)
assert text == constrained(prompt, Order, max_new_tokens=128)
