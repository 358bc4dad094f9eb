"""Drafters whose drafts take time on the virtual clock, and whose predictions are compared with the outcome."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ngramspec.decoding import DraftingPrices, HostPrices
from ngramspec.drafting import (
    ROOT,
    Draft,
    Drafter,
    DraftSession,
    FloatArray,
    TokenArray,
    Tree,
    propose_all,
    propose_trees,
)
from ngramspec.drafting.types import SteerableSession, SteerableTreeSession, Steering
from ngramspec.simulate.clock import VirtualClock

NUM_DECILES = 10
_KEPT = 4096
"""Drafts that are kept before they are summed up."""


class Reliability:
    """Predicted survival of drafted tokens, by tenths, and how many were accepted.

    counts, predicted, accepted: `float64[10]`, for the tokens whose survival lies in each tenth: how many, the sum of
    their survivals, and how many were accepted. num_accepted, num_tried: tokens that were accepted, and tokens whose
    predecessors were.
    """

    def __init__(self) -> None:
        """Nothing was drafted."""
        self.counts, self.predicted, self.accepted = (np.zeros(NUM_DECILES) for _ in range(3))
        self.num_accepted = self.num_tried = 0
        self._drafts: list[FloatArray] = []
        self._num_accepted: list[int] = []

    def record(self, survival: FloatArray, num_accepted: int) -> None:
        """Record a verified draft with `survival` `float64[K]`, of which the first `num_accepted` were accepted."""
        self.num_accepted += num_accepted
        self.num_tried += min(num_accepted + 1, survival.size)
        self._drafts.append(survival)
        self._num_accepted.append(num_accepted)
        if len(self._drafts) >= _KEPT:
            self.settle()

    def record_tree(self, tree: Tree, chosen: Sequence[int]) -> None:
        """Take in a checked tree, of which the walk over the tokens `chosen` was accepted.

        Of several tokens for one position one was tried, so that both numbers count positions, as along a chain.
        """
        children, node, walked = tree.children(), ROOT, []
        for token in chosen[: tree.num_accepted(chosen)]:
            node = children[node, token]
            walked.append(node)
        self.num_accepted += len(walked)
        self.num_tried += len(walked) + bool((tree.parents == node).any())
        others = np.delete(tree.survival, walked)
        self._drafts += [tree.survival[walked], others]
        self._num_accepted += [len(walked), 0]
        if len(self._drafts) >= _KEPT:
            self.settle()

    def settle(self) -> None:
        """Sum up what was recorded."""
        if not self._drafts:
            return
        sizes = [draft.size for draft in self._drafts]
        survival = np.concatenate(self._drafts)
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        is_accepted = np.arange(survival.size) - first < np.repeat(self._num_accepted, sizes)
        tenth = np.minimum((survival * NUM_DECILES).astype(np.int64), NUM_DECILES - 1)
        self.counts += np.bincount(tenth, minlength=NUM_DECILES)
        self.predicted += np.bincount(tenth, survival, NUM_DECILES)
        self.accepted += np.bincount(tenth, is_accepted, NUM_DECILES)
        self._drafts, self._num_accepted = [], []

    def as_dicts(self) -> list[dict[str, float]]:
        """The tenths that have tokens, the least sure first: how many, mean survival, share that was accepted."""
        self.settle()
        tenths = zip(self.counts.tolist(), self.predicted.tolist(), self.accepted.tolist(), strict=True)
        return [
            {"tokens": count, "predicted": predicted / count, "accepted": accepted / count}
            for count, predicted, accepted in tenths
            if count
        ]


class PricedDrafter:
    """Drafts as another drafter does, and advances the clock by the time that this takes.

    reliability: of all its drafts. seconds: time of drafting.
    """

    def __init__(self, drafter: Drafter, host: HostPrices, clock: VirtualClock) -> None:
        """drafter: the real one. host: its prices. clock: advanced by them."""
        self.reliability = Reliability()
        self.seconds = 0.0
        self._drafter, self._host, self._clock = drafter, host, clock

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "PricedSession":
        """Start a row."""
        return PricedSession(self, self._drafter.open(segment, references))

    def propose_all(
        self, sessions: Sequence["PricedSession"], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        """As the real drafter."""
        drafts = propose_all([each.session for each in sessions], max_tokens, min_survival)
        self.spend(self._host.blind, sessions, drafts)
        return drafts

    def propose_trees(
        self, sessions: Sequence["PricedSession"], max_nodes: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        """As the real one's. A node takes the time of a token of a chain."""
        drafts = propose_trees([each.session for each in sessions], max_nodes, min_survival)
        self.spend(self._host.blind, sessions, drafts)
        return drafts

    def spend(self, prices: DraftingPrices, sessions: Sequence["PricedSession"], drafts: Sequence[Draft]) -> None:
        """Advance the clock by the time of `drafts` for `sessions`; each session is charged an equal share."""
        sizes = [draft.tokens.size for draft in drafts]
        seconds = prices.seconds(len(sizes), sum(sizes), max(sizes, default=0))
        self._pass(seconds)
        for session in sessions:
            session.seconds += seconds / len(sizes)

    def read(self, session: "PricedSession", prompt: TokenArray) -> None:
        """Let a session read its prompt."""
        session.session.extend(prompt)
        seconds = self._host.of_prompt_token * prompt.size
        self._pass(seconds)
        session.seconds += seconds

    def steered(self, session: "PricedSession", draft: Draft) -> Draft:
        """A steered draft, after its time was charged."""
        self.spend(self._host.steered, [session], [draft])
        return draft

    def _pass(self, seconds: float) -> None:
        self.seconds += seconds
        self._clock.advance(seconds)


class PricedSession:
    """One row. session: the real one. seconds: time of drafting for it."""

    def __init__(self, drafter: PricedDrafter, session: DraftSession) -> None:
        self.drafter, self.session, self.seconds = drafter, session, 0.0
        self.close = session.close
        self._checked: Tree | None = None
        if hasattr(session, "heed"):
            self.heed = session.heed
        if hasattr(session, "steer_tree"):
            self.steer_tree = self._steer_tree

    @property
    def is_steerable(self) -> bool:
        """Whether it drafts within a grammar."""
        return hasattr(self.session, "steer")

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Its own draft; the rows of a pass are drafted for together, by the drafter."""
        (draft,) = self.drafter.propose_all([self], [max_tokens], min_survival)
        return draft

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """As `propose`, for a target that takes trees."""
        (draft,) = self.drafter.propose_trees([self], [max_nodes], min_survival)
        return draft

    def extend(self, tokens: TokenArray) -> None:
        """Take in the committed tokens, which say what of a tree was accepted."""
        if self._checked is not None:
            self.drafter.reliability.record_tree(self._checked, tokens.tolist())
            self._checked = None
        self.session.extend(tokens)

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose`, within a grammar."""
        session: Any = self.session
        steerable: SteerableSession = session
        return self.drafter.steered(self, steerable.steer(max_tokens, min_survival, steering))

    def _steer_tree(self, max_nodes: int, min_survival: float, steering: Steering) -> Draft:
        """As `steer`, for a target that takes trees."""
        session: Any = self.session
        steerable: SteerableTreeSession = session
        return self.drafter.steered(self, steerable.steer_tree(max_nodes, min_survival, steering))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Record the outcome of the draft; of a tree, `extend` follows with the tokens."""
        if isinstance(draft, Tree):
            self._checked = draft
        elif draft.tokens.size:
            self.drafter.reliability.record(draft.survival, num_accepted)
        self.session.observe(draft, num_accepted)
