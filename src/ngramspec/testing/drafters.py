"""A drafter that knows the answer and corrupts it, so that tokens are accepted and rolled back on any text."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ngramspec.drafting import Draft, TokenArray


class OracleDrafter:
    """Knows what each row will emit, and drafts it with a random length, often wrong from a random position on.

    Equal texts prove nothing if nothing was drafted, or nothing rolled back. With this drafter both happen even if the
    text repeats nothing.

    emitted: per row, the tokens that plain decoding emits. Rows are identified by the order in which they are opened,
        cyclically, so that one drafter serves several calls. vocabulary: number of ids that the model knows.
    corrupted: share of drafts that are corrupted. seed: of the lengths and corruptions.
    """

    def __init__(
        self, emitted: Sequence[Sequence[int]], vocabulary: int, *, seed: int = 0, corrupted: float = 0.6
    ) -> None:
        self.emitted = [list(tokens) for tokens in emitted]
        self.vocabulary = vocabulary
        self.corrupted = corrupted
        self.seed = seed
        self._opened = 0

    @classmethod
    def of_output(cls, output: Tensor, prompt_length: int, vocabulary: int, *, seed: int = 0) -> "OracleDrafter":
        """Know the text of `output` `int64[B, prompt_length + emitted]`, as plain `generate()` returned it."""
        return cls(output[:, prompt_length:].tolist(), vocabulary, seed=seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "OracleSession":
        """Start the next row; the segment makes no difference."""
        row = self._opened % len(self.emitted)
        self._opened += 1
        return OracleSession(self, self.emitted[row], np.random.default_rng((self.seed, row)))


class OracleSession:
    """One row. It counts the emitted tokens, which are those after the first `observe`."""

    def __init__(self, drafter: OracleDrafter, emitted: list[int], rng: np.random.Generator) -> None:
        self._drafter = drafter
        self._emitted = emitted
        self._rng = rng
        self._position = 0
        self._is_prompt = True

    def extend(self, tokens: TokenArray) -> None:
        """Advance by the committed tokens `int32[n]`."""
        self._position += 0 if self._is_prompt else tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft what comes next, often wrong from one of the first tokens on."""
        length = int(self._rng.integers(0, max_tokens + 1)) if self._rng.random() < 0.3 else max_tokens
        vocabulary = self._drafter.vocabulary
        tokens = self._rng.integers(0, vocabulary, length).astype(np.int32)
        known = np.array(self._emitted[self._position : self._position + length], np.int32)
        tokens[: known.size] = known
        if length and self._rng.random() < self._drafter.corrupted:
            start = int(self._rng.integers(0, min(length, 4)))
            tokens[start] = (tokens[start] + 1 + self._rng.integers(0, vocabulary - 1)) % vocabulary
            tokens[start + 1 :] = self._rng.integers(0, vocabulary, length - start - 1)
        return Draft(tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Note that the prompt is over; there is nothing to learn."""
        self._is_prompt = False

    def close(self) -> None:
        """Keep nothing."""
