"""Drafters for tests: one that knows the answer and spoils it, and several that know nothing."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ngramspec.drafting import NO_DRAFT, Draft, DraftSession, TokenArray


class _Session:
    """What the sessions below share: they count emitted tokens, the first `extend` being the prompt."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.position = 0
        self._has_prompt = False

    def extend(self, tokens: TokenArray) -> None:
        self.position += tokens.size if self._has_prompt else 0
        self._has_prompt = True

    def propose(self, max_tokens: int) -> Draft:
        raise NotImplementedError

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass


class OracleDrafter:
    """Knows what each row will emit, and drafts it: of random length, and from a random place on wrong.

    emitted: per row, the tokens that plain decoding emits. Rows are told apart by the order in which they are opened,
        over and over, so that one drafter serves several calls. corrupted: how often a draft is spoilt.
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

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        row = self._opened % len(self.emitted)
        self._opened += 1
        return _OracleSession(self, self.emitted[row], np.random.default_rng((self.seed, row)))


class _OracleSession(_Session):
    def __init__(self, drafter: OracleDrafter, emitted: list[int], rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.drafter = drafter
        self.emitted = emitted

    def propose(self, max_tokens: int) -> Draft:
        length = int(self.rng.integers(0, max_tokens + 1)) if self.rng.random() < 0.3 else max_tokens
        vocabulary = self.drafter.vocabulary
        tokens = self.rng.integers(0, vocabulary, length).astype(np.int32)
        known = np.array(self.emitted[self.position : self.position + length], np.int32)
        tokens[: known.size] = known
        if length and self.rng.random() < self.drafter.corrupted:
            start = int(self.rng.integers(0, min(length, 4)))
            tokens[start] = (tokens[start] + 1 + self.rng.integers(0, vocabulary - 1)) % vocabulary
            tokens[start + 1 :] = self.rng.integers(0, vocabulary, length - start - 1)
        return Draft(tokens)


class RandomDrafter:
    """Drafts random tokens, a random number of them."""

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        self.vocabulary = vocabulary
        self.rng = np.random.default_rng(seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _RandomSession(self.vocabulary, self.rng.spawn(1)[0])


class _RandomSession(_Session):
    def __init__(self, vocabulary: int, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.vocabulary = vocabulary

    def propose(self, max_tokens: int) -> Draft:
        length = int(self.rng.integers(0, max_tokens + 1))
        return Draft(self.rng.integers(0, self.vocabulary, length).astype(np.int32))


class AdversarialDrafter:
    """Drafts what might hurt: end of sequence in mid-draft, one token over and over, the vocabulary's edges, padding.

    eos_token: drafted in the middle and at both ends. pad_token: drafted as if the row had ended.
    """

    def __init__(self, vocabulary: int, eos_token: int, pad_token: int = 0) -> None:
        self.patterns = [
            [2, eos_token, 2, 3],
            [eos_token],
            [2],
            [0, vocabulary - 1],
            [eos_token, *[pad_token] * 30],
            [pad_token],
            [vocabulary - 1],
        ]

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _AdversarialSession(self.patterns)


class _AdversarialSession(_Session):
    def __init__(self, patterns: list[list[int]]) -> None:
        super().__init__(np.random.default_rng(0))
        self.patterns = patterns

    def propose(self, max_tokens: int) -> Draft:
        pattern = self.patterns[int(self.rng.integers(0, len(self.patterns)))]
        return Draft(np.resize(np.array(pattern, np.int32), max_tokens))


class NoDrafter:
    """Drafts nothing, which is a normal answer."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _NoSession(np.random.default_rng(0))


class _NoSession(_Session):
    def propose(self, max_tokens: int) -> Draft:
        return Draft(NO_DRAFT)
