"""Lookup in the row's own text and in its segment's history, by what has proved right."""

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from ngramspec.drafting.chain import Chain
from ngramspec.drafting.copies import Copy
from ngramspec.drafting.history import SEPARATOR, History
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import NUM_RECENT, Survival, Weighed
from ngramspec.drafting.types import NO_DRAFT, Draft, TokenArray

_PROBABILITY = itemgetter(2)


class AdaptiveLookup:
    """Drafts token by token what the surest of several matches says.

    Looked up are the row's own text (references, prompt, output) and, where a segment is named, what earlier rows of
    that segment answered; and copies in progress go on behind tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each is, alone and beside the others, is learnt (`survival.py`).

    The idea of a history is suffix decoding's (Oliaro et al. 2024), that of going on behind a mismatch lpaq's match
    model's (Mahoney 2007).
    """

    def __init__(self, survival: Survival | None = None) -> None:
        """Begin without a history; survival: what is known of matches, by default what recorded traffic has taught."""
        self.survival = Survival() if survival is None else survival
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
        self._past = SuffixIndex() if history is None else history.index
        self._segment = segment
        self._prompt: TokenArray | None = None
        self._answer = [SEPARATOR]
        self._own_copy, self._past_copy = Copy(), Copy()
        self._choices: list[tuple[int, list[Weighed]]] = []  # each drafted token, and all that might have been
        self._recent = 0.5

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`; the first call brings the prompt."""
        if self._prompt is None:
            self._prompt = tokens
            self.index.extend(tokens)
            if self._history is not None:
                self._past_copy.start = self._history.similar(tokens)
            return
        committed = tokens.tolist()
        self._learn(committed)
        for token in committed:
            self._own_copy.advance(token, self.index.tokens, len(self.index))
            self._past_copy.advance(token, self._past.tokens, len(self._past))
        self.index.extend(tokens)
        self._answer += committed

    def _learn(self, committed: list[int]) -> None:
        for (drafted, candidates), token in zip(self._choices, committed, strict=False):
            for candidate in candidates:
                self._survival.learn(candidate, token)
            self._recent += 0.1 * ((drafted == token) - self._recent)
            if drafted != token:
                break
        self._choices = []

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens, as long as they survive with a probability of `min_survival`."""
        self._choices = []
        if max_tokens <= 0:
            return Draft(NO_DRAFT)
        chain = Chain(self.index, self._past, self._answer, self._own_copy, self._past_copy)
        match_length = chain.match_length
        recent = min(NUM_RECENT - 1, int(self._recent * NUM_RECENT))
        weigh, segment = self._survival.weigh, self._segment
        survivals: list[float] = []
        survival = 1.0
        while True:
            tokens, states = chain.offers()
            distinct = {*tokens}
            distinct.discard(-1)
            if not distinct:
                break
            candidates = [weigh(token, tokens, states, recent, segment) for token in distinct]
            token, _, probability = candidates[0] if len(candidates) == 1 else max(candidates, key=_PROBABILITY)
            self._choices.append((token, candidates))
            survival *= probability
            # The token that is no longer drafted stays among the choices: if all before it are right, it teaches too.
            if len(survivals) == max_tokens or survival < min_survival:
                break
            survivals.append(survival)
            chain.follow(token, tokens)
        return Draft(np.array(chain.drafted, np.int32), match_length, np.array(survivals))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing here: the committed tokens say more."""

    def close(self) -> None:
        """The row is over: keep its answer in the history."""
        if self._history is not None and self._prompt is not None:
            self._history.add(self._prompt, np.array(self._answer[1:], np.int32))
