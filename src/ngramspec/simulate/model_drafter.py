"""A hypothetical draft model, of a given acceptance rate."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft, TokenArray


class ModelDrafter:
    """Drafts the recorded output, each token right with the same probability if those before it were.

    That is the assumption of the field's formula (Leviathan et al. 2023), and of published acceptance rates. A wrong
    token differs from the output's at its position. The output must be a row's only reference.
    """

    def __init__(self, acceptance: float, draft_tokens: int, seed: int = 0) -> None:
        """acceptance: of a token. draft_tokens: of a draft. Raises ValueError unless acceptance is from 0 to 1."""
        if not 0.0 <= acceptance <= 1.0:
            raise ValueError(f"acceptance must be a probability from 0 to 1, got {acceptance!r}")
        self._acceptance, self._draft_tokens = acceptance, draft_tokens
        self._drawn = np.random.default_rng(seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "ModelDrafterSession":
        """Start a row; references: its output `int32[n]`."""
        (output,) = references
        return ModelDrafterSession(output, self._acceptance, self._draft_tokens, self._drawn)


class ModelDrafterSession:
    """One row."""

    def __init__(self, output: TokenArray, acceptance: float, draft_tokens: int, drawn: np.random.Generator) -> None:
        """output: of the row. drawn: generator of all rows, used in the order of their drafts."""
        self._output, self._drawn = output, drawn
        self._survival = np.power(acceptance, np.arange(1, draft_tokens + 1), dtype=np.float64)
        self._acceptance = acceptance
        self._position = -1  # before the prompt

    def extend(self, tokens: TokenArray) -> None:
        """The first call has the prompt."""
        self._position = 0 if self._position < 0 else self._position + tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft what comes next; it may have one wrong token, and goes on after that."""
        size = min(max_tokens, self._survival.size, self._output.size - self._position)
        if size <= 0:
            return Draft(NO_DRAFT)
        tokens = self._output[self._position : self._position + size].copy()
        wrong = np.flatnonzero(self._drawn.random(size) >= self._acceptance)
        if wrong.size:
            tokens[wrong[0]] ^= 1
        return Draft(tokens, self._survival[:size])

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Nothing is learnt."""

    def close(self) -> None:
        """Nothing is kept."""
