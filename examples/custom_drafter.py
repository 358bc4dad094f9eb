"""A drafter of your own: yesterday's answer first, the prompt as soon as the text leaves it.

Whatever a drafter proposes, the model's own text comes out.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

import ngramspec
from ngramspec.drafting import Draft, Drafter, PromptLookupSession, TokenArray
from ngramspec.pico import edit_prompt


class Yesterday:
    """Opens a session per row; all of them share `answer`, token ids `int32[n]`."""

    def __init__(self, answer: TokenArray) -> None:
        self.answer = answer

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "YesterdaySession":
        return YesterdaySession(self.answer, references)


class YesterdaySession(PromptLookupSession):
    """Drafts the rest of the answer while the text agrees with it, else what prompt lookup finds."""

    def __init__(self, answer: TokenArray, references: Sequence[TokenArray]) -> None:
        super().__init__(references)
        self.answer = answer
        self.start = 0

    def extend(self, tokens: TokenArray) -> None:
        super().extend(tokens)
        self.start = self.start or len(self.index)  # the prompt comes first

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        text = self.index.text[self.start :]
        if np.array_equal(text, self.answer[: text.size]):
            return Draft(self.answer[text.size : text.size + max_tokens])
        return super().propose(max_tokens)


model, tokenizer = ngramspec.load_pico()
inputs = tokenizer(edit_prompt("x", "width", "def area(x, y):\n    return x * y"), return_tensors="pt")
plain = model.generate(**inputs, max_new_tokens=64)
answer = plain[0, inputs["input_ids"].shape[1] :].numpy().astype(np.int32)

drafters: dict[str, Drafter] = {"prompt": ngramspec.PromptLookup(), "yesterday": Yesterday(answer)}
passes = {}
for name, drafter in drafters.items():
    # Ten tokens in every pass. The default budget drafts as long as it pays on this machine, so passes vary with it.
    spec = ngramspec.Speculator(drafter, budget=ngramspec.FixedBudget(10))
    assert torch.equal(model.generate(**inputs, custom_generate=spec, max_new_tokens=64), plain)
    passes[name] = spec.stats.total.target_passes
print(f"{len(answer)} tokens; target passes by drafter: {passes}")
assert passes["yesterday"] == math.ceil(len(answer) / 11)  # ten drafted tokens and one of the model's own
