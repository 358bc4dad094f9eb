"""One row of a batch: what is pending, what was emitted, and how the loop moves it on."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field

import numpy as np

from ngramspec.decoding.steering import Steered
from ngramspec.drafting.types import Draft, DraftSession, TokenArray
from ngramspec.guards import Matcher
from ngramspec.stats import Counters, Undrafted


def num_agreeing(draft: TokenArray, chosen: TokenArray) -> int:
    """Length of the common head of `draft` `int32[K]` and `chosen` `int32[n]`: the accepted draft tokens."""
    length = min(draft.size, chosen.size)
    # Drafts are a few tokens long: a loop over numbers takes half the time of four calls of numpy.
    for index, (drafted, token) in enumerate(zip(draft[:length].tolist(), chosen[:length].tolist(), strict=True)):
        if drafted != token:
            return index
    return length


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the target says of one row's plan.

    tokens: `int32[n]`, 1 <= n <= K + 1: the accepted draft tokens, then the target's own next token. Only where the
        row ends inside its draft is there no token of the target's own; and no token at all (n = 0) where it ends
        because a guard allows none.
    finished: the row ended with the last of `tokens`.
    """

    tokens: TokenArray
    finished: bool


@dataclass(slots=True)
class Sequence:
    """One row: its drafting session, the tokens that the target has yet to read, and the tokens emitted.

    The session must have been given the row's prompt. `pending` `int32[P]` is what the target's cache lacks: the
    prompt at first (as the target reads it, padding included), later the last chosen token. `remaining` counts the
    tokens that may still be emitted.
    """

    session: DraftSession
    pending: TokenArray
    remaining: int
    counters: Counters = field(default_factory=Counters)
    finished: bool = False
    steering: Steered | None = None

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted: the target's own token needs room too."""
        return max(0, min(max_tokens, self.remaining - 1))

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft at most `max_tokens`, and no more than could be accepted.

        A drafter that returns more than it was asked for is cut, whoever wrote it.
        """
        room = self.room(max_tokens)
        if self.steering is not None and (matchers := self.matchers()):
            return self.steering.draft(self.session, matchers, room, min_survival).head(room)
        return self.session.propose(room, min_survival).head(room)

    def matchers(self) -> Rows[Matcher]:
        """The grammars that hold for the row."""
        return ()

    def commit(self, draft: Draft, verdict: Verdict, undrafted: Undrafted = Undrafted.NO_MATCH) -> None:
        """Take in the target's verdict on `draft`: this, and nothing else, moves a row on.

        undrafted: why the draft is empty; says nothing where it is not.
        """
        tokens = verdict.tokens
        if not tokens.size and not verdict.finished:
            raise ValueError(
                "the verdict on a row that goes on holds at least one token, got none for the draft"
                f" {draft.tokens.tolist()}"
            )
        num_accepted = num_agreeing(draft.tokens, tokens)
        if tokens.size > num_accepted + 1:
            raise ValueError(
                f"a verdict holds at most one token behind the accepted ones, got {tokens.tolist()}"
                f" for the draft {draft.tokens.tolist()}"
            )
        self.session.observe(draft, num_accepted)
        self.session.extend(tokens)
        if self.steering is not None:
            self.steering.commit(tokens)
        self.counters.record_pass(tokens.size, draft.tokens.size, num_accepted, undrafted)
        self.remaining -= tokens.size
        self.pending = np.asarray(tokens[-1:] if tokens.size else self.pending[-1:], np.int32)
        self.finished = verdict.finished or self.remaining <= 0
        if self.finished:
            self.session.close()
