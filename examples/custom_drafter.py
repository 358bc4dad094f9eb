"""A drafter of your own: it drafts from a text that is not in the prompt, and from the prompt where that has nothing.

Here the text is yesterday's answer. Whatever a drafter proposes, the model's own text comes out.
"""

import numpy as np
import torch

import ngramspec
from ngramspec.drafting import Draft, Drafter, PromptLookupSession, TokenArray
from ngramspec.pico import edit_prompt

MATCH = 3


class Reference:
    """Opens a session per row; all of them share `text`, token ids `int32[n]`."""

    def __init__(self, text: TokenArray) -> None:
        self.text = text

    def open(self, segment: str | None = None) -> "ReferenceSession":
        return ReferenceSession(self.text)


class ReferenceSession(PromptLookupSession):
    """Looks for the last three tokens in the reference first."""

    def __init__(self, reference: TokenArray) -> None:
        super().__init__()
        self.reference = reference

    def propose(self, max_tokens: int) -> Draft:
        windows = np.lib.stride_tricks.sliding_window_view(self.reference, MATCH)
        (places,) = np.nonzero((windows == self.index.text[-MATCH:]).all(axis=1))
        if not places.size:
            return super().propose(max_tokens)
        start = places[-1] + MATCH
        return Draft(self.reference[start : start + max_tokens], MATCH)


model, tokenizer = ngramspec.load_pico()
inputs = tokenizer(edit_prompt("x", "width", "def area(x, y):\n    return x * y"), return_tensors="pt")
plain = model.generate(**inputs, max_new_tokens=64)
answer = plain[0, inputs["input_ids"].shape[1] :].numpy().astype(np.int32)

drafters: dict[str, Drafter] = {"prompt": ngramspec.PromptLookup(), "reference": Reference(answer)}
passes = {}
for name, drafter in drafters.items():
    spec = ngramspec.Speculator(drafter)
    assert torch.equal(model.generate(**inputs, custom_generate=spec, max_new_tokens=64), plain)
    passes[name] = spec.stats.total.target_passes
print(f"{len(answer)} tokens; target passes by drafter: {passes}")
assert passes["reference"] < passes["prompt"]
