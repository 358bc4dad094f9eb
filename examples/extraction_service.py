"""The core of a service that extracts records: mails in, checked records out, many at a time.

The guard makes each answer fit the schema; drafts, looked up in the mail, save passes. A guard cannot promise that a
text ends in time: an answer that is cut off at `max_new_tokens` becomes None.
"""

from pydantic import BaseModel, Field, ValidationError

import ngramspec
from ngramspec.pico import extract_prompt


class Order(BaseModel, extra="forbid"):
    order: str = Field(pattern=r"^[A-Z]/\d{3,5}$")
    quantity: int = Field(ge=1, le=999)
    ship_to: str = Field(min_length=1, max_length=20)


class Extractor:
    """Made once, when the service starts; the guard is compiled here, and shared by all calls and threads."""

    def __init__(self) -> None:
        self.model, self.tokenizer = ngramspec.load_pico()
        self.guard = ngramspec.Guard.json_schema(Order, self.tokenizer, whitespace="compact")
        self.spec = ngramspec.Speculator()

    def extract(self, mails: list[str]) -> list[Order | None]:
        template = dict(zip(Order.model_fields, ("", 0, ""), strict=True))
        prompts = [extract_prompt(mail, template) for mail in mails]
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
        output = self.model.generate(
            **inputs, custom_generate=self.spec, logits_processor=[self.guard], segment="orders", max_new_tokens=64
        )
        answers = output[:, inputs["input_ids"].shape[1] :]
        return [checked(text) for text in self.tokenizer.batch_decode(answers, skip_special_tokens=True)]


def checked(text: str) -> Order | None:
    try:
        return Order.model_validate_json(text)
    except ValidationError:  # cut off
        return None


MAILS = [
    "Deliver to Turin. The order number is B/20934. Quantity: 12. There were no complaints so far.",
    "Order M/818 came in. Ship it to Bremen. They want 40 of them.",
    "Hello! How are you? It has been raining for three days.",  # nothing to find, but the answer fits the schema
]

service = Extractor()
records = service.extract(MAILS)
for record in records:
    print(record)
print(service.spec.stats)

assert all(isinstance(record, Order) for record in records)
assert [service.extract([mail])[0] for mail in MAILS] == records  # alone, or in a batch
