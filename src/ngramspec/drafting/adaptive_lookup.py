"""Lookup in the row's own text and in its segment's history, by what has proved right."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting.chain import Chain
from ngramspec.drafting.history import SEPARATOR, History
from ngramspec.drafting.sources import Source
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import Survival, recent_place
from ngramspec.drafting.types import NO_DRAFT, Draft, TokenArray


class AdaptiveLookup:
    """Drafts token by token what the surest of several matches says.

    Looked up are the row's own text (references, prompt, output) and, where a segment is named, what earlier rows of
    that segment answered; and copies in progress go on behind tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each is, alone and beside the others, is learnt (`survival.py`).

    The idea of a history is suffix decoding's (Oliaro et al. 2024), that of going on behind a mismatch lpaq's match
    model's (Mahoney 2007).
    """

    def __init__(self) -> None:
        """Begin without a history, knowing nothing."""
        self.survival = Survival()
        self._histories: dict[str, tuple[History, int]] = {}
        self._unnamed = self.survival.add_segment()

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdaptiveLookupSession":
        """Start a row of traffic of the kind `segment`; without one nothing is read from a history or kept in it."""
        if segment is None:
            return AdaptiveLookupSession(self.survival, None, self._unnamed, references)
        kept = self._histories.get(segment)
        if kept is None:
            kept = self._histories.setdefault(segment, (History(), self.survival.add_segment()))
        return AdaptiveLookupSession(self.survival, *kept, references)


class AdaptiveLookupSession:
    """One row: its text, its place in the history, and the choices of its last draft."""

    def __init__(
        self, survival: Survival, history: History | None, segment: int, references: Sequence[TokenArray]
    ) -> None:
        """Start with the references `int32[n]`, read before the prompt. segment: the place of its weights."""
        self.index = SuffixIndex()
        for reference in references:
            self.index.extend(reference)
        self._survival = survival
        self._history = history
        self._own = Source(self.index)
        self._past = Source(SuffixIndex() if history is None else history.index)
        self._chain = Chain(self._own, self._past, survival, segment)
        self._segment = segment
        self._prompt: TokenArray | None = None
        self._answer = [SEPARATOR]
        self._recent = 0.5
        self._recent_place = 0

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`; the first call brings the prompt."""
        if self._prompt is None:
            self._prompt = tokens
            self.index.extend(tokens)
            if self._history is not None:
                self._past.copy.start = self._history.similar(tokens)
            return
        committed = tokens.tolist()
        self._learn(committed)
        size = len(self.index)
        self.index.extend(tokens)
        self._own.follow(committed, size)
        self._past.follow(committed, len(self._past.index))
        self._answer += committed

    def _learn(self, committed: list[int]) -> None:
        num_right = 0
        for drafted, token in zip(self._chain.choices, committed, strict=False):
            if drafted != token:
                self._recent -= 0.1 * self._recent
                break
            self._recent += 0.1 * (1 - self._recent)
            num_right += 1
        self._survival.learn(self._chain.lessons, committed[: num_right + 1], self._recent_place, self._segment)
        self._chain.forget()

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens, as long as they survive with a probability of `min_survival`."""
        chain = self._chain
        if max_tokens <= 0:
            chain.forget()
            return Draft(NO_DRAFT)
        self._recent_place = recent_place(self._recent)
        chain.draft(self._answer, self._recent_place, max_tokens, min_survival)
        survivals = np.array(chain.survivals)
        return Draft(np.array(chain.choices[: survivals.size], np.int32), chain.match_length, survivals)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing here: the committed tokens say more."""

    def close(self) -> None:
        """The row is over: keep its answer in the history."""
        if self._history is not None and self._prompt is not None:
            self._history.add(self._prompt, np.array(self._answer[1:], np.int32))
