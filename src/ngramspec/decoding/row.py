"""One answer, and all that belongs to it alone: its text, its drafting session, its grammars, its counters."""

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


@dataclass(slots=True, eq=False)
class Together:
    """Rows that were asked for together, as those of one `generate()` call.

    in_step: they move position by position, all of them, and a pass ends where the first one leaves its draft.
    keeps_errors: what their processors, criteria, streamers and sessions raise ends the row, and is raised in the end.
    """

    in_step: bool = False
    keeps_errors: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """One answer. `commit` moves its text on; everything else that knows the text reads it from here.

    session: drafts for it, and was given the prompt's tokens.
    pending: `int32[P]`, what the target's cache lacks: the prompt at first (as the target reads it, padding included),
        later the last chosen token, or more where a target keeps less than was accepted.
    remaining: tokens that may still be emitted.
    call: the rows that it was asked for with. drafts_with_prompt: whether a draft may be checked in the pass that reads
        the prompt.
    num_cached: tokens that the target's cache holds, padding included.
    emitted: the tokens of the answer. committed: those of this pass, and the padding of a row that has ended.
    num_followed: emitted tokens that session, steering and counters know of. ended: whether nothing follows.
    """

    session: DraftSession
    pending: TokenArray
    remaining: int
    counters: Counters = field(default_factory=Counters)
    steering: Steered | None = None
    call: Together = field(default_factory=Together)
    drafts_with_prompt: bool = True
    num_cached: int = 0
    emitted: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    num_followed: int = 0
    ended: bool = False
    _is_closed: bool = False

    @property
    def reads_prompt(self) -> bool:
        """Whether its next pass is the one that reads its prompt, or the end of it."""
        return not self.emitted and not self.ended

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted: the target's own token needs room too."""
        return max(0, min(max_tokens, self.remaining - 1))

    def led_draft(self, room: int, min_survival: float) -> Draft | None:
        """A draft of at most `room` tokens that keeps to the row's grammars; None for a row that has none.

        See `proposing.py`, which asks for the drafts of all rows.
        """
        if self.steering is not None and (matchers := self.matchers()):
            return self.steering.draft(self.session, matchers, room, min_survival)
        return None

    def known(self, draft: Draft) -> Draft:
        """The head of `draft` that the target can read: all of it."""
        return draft

    def matchers(self) -> Rows[Matcher]:
        """The grammars that its drafts keep to."""
        return ()

    def commit(self, token: int) -> None:
        """Emit `token`; of a row that has ended, which others of its call keep in the batch, it is padding."""
        self.committed.append(token)
        self.remaining -= 1
        if not self.ended:
            self.emitted.append(token)

    def follow(self, draft: Draft, num_cached: int, undrafted: Undrafted = Undrafted.NO_MATCH) -> None:
        """The pass is over: let session, steering and counters catch up with what was committed.

        num_cached: tokens that the target has kept, at the most all but the last one. undrafted: why the draft is
        empty; says nothing where it is not.
        """
        committed = np.array(self.committed, np.int32)
        self.keep(committed, num_cached)
        self.committed = []
        if self._is_closed:  # the padding that follows a row counts for nothing
            return
        tokens = committed[: len(self.emitted) - self.num_followed]
        self.num_followed = len(self.emitted)
        num_accepted = num_agreeing(draft.tokens, tokens)
        self.session.observe(draft, num_accepted)
        self.session.extend(tokens)
        if self.steering is not None:
            self.steering.commit(tokens)
        self.counters.record_pass(tokens.size, draft.tokens.size, num_accepted, undrafted)
        self.ended = self.ended or self.remaining <= 0
        if self.ended:
            self.close()

    def takes(self, error: Exception) -> bool:
        """Whether the row ends with an error that its own session has raised; else the whole pass fails."""
        return False

    def close(self) -> None:
        """End the row: nothing is drafted for it any more."""
        self.ended = True
        if not self._is_closed:
            self._is_closed = True
            self.session.close()

    def keep(self, tokens: TokenArray, num_cached: int) -> None:
        """Note that of the tokens that were pending and of `tokens` the cache now holds all before `num_cached`."""
        num_kept = num_cached - self.num_cached
        num_read = self.pending.size
        if num_kept >= num_read:
            self.pending = tokens[num_kept - num_read :]
        else:
            self.pending = np.concatenate([self.pending[num_kept:], tokens])
        self.num_cached = num_cached
