"""A tool call with reasoning before it: free text up to the marker, from there on a call that fits its schema."""

import json

import torch

import ngramspec
from ngramspec.pico import repeat_prompt


def an_object(**properties: object) -> dict[str, object]:
    names = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


CODE = {"type": "string", "pattern": r"^[A-Z]/\d{3,5}$"}
CALL = an_object(name={"const": "track_parcel"}, arguments=an_object(code=CODE))

# The packaged model cannot reason, but it can repeat; the text it has to repeat is not JSON.
THOUGHTS = "They ask where parcel B/20934 is. I look it up.</think>{'name': track_parcel, 'arguments': B/20934}"

model, tokenizer = ngramspec.load_pico()
inputs = tokenizer(repeat_prompt(THOUGHTS), return_tensors="pt")
guard = ngramspec.Guard.json_schema(CALL, tokenizer, whitespace="compact").after("</think>")
spec = ngramspec.Speculator()

output = model.generate(**inputs, custom_generate=spec, logits_processor=[guard], max_new_tokens=96)
text = str(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
print(text)
print(spec.stats)

reasoning, call = text.split("</think>")
assert json.loads(call)["name"] == "track_parcel"
assert THOUGHTS.startswith(reasoning)
assert torch.equal(output, model.generate(**inputs, logits_processor=[guard.processor()], max_new_tokens=96))
