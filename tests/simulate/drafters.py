"""Drafters for simulations: one that knows a text of one token, and one that drafts anything."""

import random
from collections.abc import Sequence

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft, TokenArray

TOKEN = 7


class Knows:
    """Drafts TOKEN again and again."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "Knows":
        return self

    def extend(self, tokens: TokenArray) -> None: ...

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(np.full(max_tokens, TOKEN, np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...


class Anything(Knows):
    """Drafts of any length, of tokens that may be right."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        size = self._random.randint(0, max_tokens)
        tokens = [self._random.randint(0, 2) for _ in range(size)]
        return Draft(np.array(tokens, np.int32)) if size else Draft(NO_DRAFT)
