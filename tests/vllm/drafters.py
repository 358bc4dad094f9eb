"""A drafter that knows the coming text, and corrupts part of it."""

from collections.abc import Mapping, Sequence

import numpy as np

from ngramspec.drafting import Draft, TokenArray


class KnowingDrafter:
    """Drafts the answer to a prompt, often wrong from somewhere on: by another token, an end of sequence, or nothing.

    So drafts are accepted and rejected in each pass of a batch, whatever the text is.
    """

    def __init__(self, answers: Mapping[tuple[int, ...], Sequence[int]], vocabulary: int, end: int) -> None:
        """answers: by prompt. vocabulary: ids that the model knows. end: of a sequence."""
        self.answers, self.vocabulary, self.end = answers, vocabulary, end

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "KnowingSession":
        return KnowingSession(self)


class KnowingSession:
    def __init__(self, drafter: KnowingDrafter) -> None:
        self._drafter = drafter
        self._answer: Sequence[int] | None = None
        self._position = 0
        self._rng = np.random.default_rng(0)

    def extend(self, tokens: TokenArray) -> None:
        if self._answer is None:
            self._answer = self._drafter.answers.get(tuple(tokens.tolist()), ())
        else:
            self._position += tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        assert self._answer is not None
        tokens = np.array(self._answer[self._position : self._position + max_tokens], np.int32)
        tokens = tokens[: self._rng.integers(0, max_tokens + 1)]
        if tokens.size and self._rng.random() < 0.6:
            wrong = self._rng.integers(0, tokens.size)
            tokens[wrong:] = self._rng.choice([self._drafter.end, *self._rng.integers(0, self._drafter.vocabulary, 3)])
        return Draft(tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...
