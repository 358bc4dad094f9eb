"""One row of drafting: the text so far, its positions in its sources, and the choices of its last draft."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting.core.plain.chain import UNSTEERED, Chain
from ngramspec.drafting.core.plain.features import recent_index
from ngramspec.drafting.core.plain.likely import checked_shape
from ngramspec.drafting.core.plain.sources import Source
from ngramspec.drafting.core.plain.spelling import SpelledIndex, TokenBytes
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, SuffixIndex
from ngramspec.drafting.core.plain.survival import Survival
from ngramspec.drafting.core.plain.tree import Branches
from ngramspec.drafting.types import NO_DRAFT, NO_SURVIVAL, Draft, Steering, TokenArray, Tree

_STEP = 0.1
"""Step of the moving average of whether the row's latest tokens were foreseen."""


class Row:
    """Drafts for one row, and learns from what is committed.

    index: over the row's references, prompt and answer. history: over the texts of its segment.
    """

    def __init__(
        self,
        survival: Survival,
        history: SuffixIndex,
        references: Sequence[TokenArray] = (),
        vocabulary: TokenBytes | None = None,
    ) -> None:
        """Begin with the references `int32[n]`, which precede the prompt; vocabulary: if it is known."""
        self.index = SuffixIndex()
        for reference in references:
            self.index.extend(reference)
        self.history = history
        # It begins with a SEPARATOR, like each answer in the history, so that beginnings of answers match.
        self._answer = [SEPARATOR]
        self._survival = survival
        self._own, self._past = Source(self.index), Source(history)
        spelled = None if vocabulary is None else SpelledIndex(self.index, vocabulary.tokens)
        self._chain = Chain(self._own, self._past, survival, spelled)
        self._branches = Branches(self.index, history, survival.mixer)
        self._share_foreseen = 0.5
        self._recent = recent_index(self._share_foreseen)

    @property
    def answer(self) -> TokenArray:
        """The tokens committed since the prompt, `int32[n]`: a copy."""
        return np.array(self._answer[1:], np.int32)

    def begin(self, prompt: TokenArray, likely_start: int) -> None:
        """Append the prompt `int32[n]`. likely_start: where in the history a copy may begin, -1 for nowhere."""
        self.index.extend(prompt)
        self._past.copy.start = likely_start

    def extend(self, tokens: TokenArray, likely: TokenArray | None = None) -> None:
        """Append committed tokens `int32[n]`, and learn from them how good the last draft was.

        likely: the model's likeliest tokens where it chose them, `int32[n, NUM_LIKELY]` (likely.py), if they are known.
        """
        if likely is not None:
            checked_shape(likely, tokens.size)
        size = len(self.index)
        self.index.extend(tokens)
        if likely is not None:
            self.index.note(size - 1, likely)
        committed = tokens.tolist()
        self._learn(committed)
        self._branches.learn(committed)
        self._own.follow(committed, size)
        self._past.follow(committed, len(self._past.index))
        self._answer += committed

    def _learn(self, committed: list[int]) -> None:
        num_right = 0
        for drafted, token in zip(self._chain.choices, committed, strict=False):
            if drafted != token:
                self._share_foreseen -= _STEP * self._share_foreseen
                break
            self._share_foreseen += _STEP * (1 - self._share_foreseen)
            num_right += 1
        self._survival.learn(self._chain.lessons, committed[: num_right + 1], self._recent)
        self._chain.forget()

    def propose(self, max_tokens: int, min_survival: float, steering: Steering | None = None) -> Draft:
        """Draft up to `max_tokens` tokens with a survival of `min_survival`, each the surest that `steering` allows.

        Errors of `steering` are passed on; the row can go on.
        """
        chain = self._chain
        if not self._draft(max_tokens, min_survival, steering):
            return Draft(NO_DRAFT)
        if steering is None:
            grown = self._branches.grow_path(self._answer, chain.offers(), max_tokens, min_survival)
            return Draft(np.array(grown.tokens, np.int32), np.array(grown.survivals), grown.is_unsure)
        survivals = np.array(chain.survivals)
        tokens = np.array(chain.choices[: survivals.size], np.int32)
        return Draft(tokens, survivals, is_unsure=survivals.size < min(len(chain.choices), max_tokens))

    def propose_tree(self, max_nodes: int, min_survival: float, steering: Steering | None = None) -> Tree:
        """Draft a tree of up to `max_nodes` nodes with a survival of `min_survival`, around the chain.

        The chain is drafted as by `propose`; `steering` is not asked about the other nodes.
        """
        if not self._draft(max_nodes, min_survival, steering):
            return Tree(NO_DRAFT, NO_SURVIVAL, parents=NO_DRAFT)
        is_steered, trunk = steering is not None, self._chain.offers()
        grown = self._branches.grow(self._answer, trunk, max_nodes, min_survival, is_steered=is_steered)
        tokens, parents = np.array(grown.tokens, np.int32), np.array(grown.parents, np.int32)
        return Tree(tokens, np.array(grown.survivals), grown.is_unsure, parents=parents)

    def _draft(self, max_tokens: int, min_survival: float, steering: Steering | None = None) -> bool:
        """Let the chain draft; returns whether a draft is wanted at all."""
        self._branches.forget()
        if max_tokens <= 0:
            self._chain.forget()
            return False
        self._recent = recent_index(self._share_foreseen)
        steering = UNSTEERED if steering is None else steering
        self._chain.draft(self._answer, self._recent, max_tokens, min_survival, steering)
        return True
