"""One answer and its own state: its text, its drafting session, its grammars, its counters."""

import math
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from typing import cast

from ngramspec.decoding.steering import SteersRow, legal_part
from ngramspec.decoding.way import RowGains
from ngramspec.drafting.types import Draft, DraftSession, HeedingSession, Likely, TokenArray, Tree
from ngramspec.guards import Matcher
from ngramspec.stats import Counters, Undrafted

NO_LIMIT = 1 << 62


def common_length(some: Rows[int], others: Rows[int]) -> int:
    """Length of the common head; for a draft and the chosen tokens, the number of accepted ones.

    Drafts are short: a loop over lists takes half the time of four numpy calls.
    """
    if some == others[: len(some)]:
        return len(some)
    for index, (one, other) in enumerate(zip(some, others, strict=False)):
        if one != other:
            return index
    return min(len(some), len(others))


def share_of(seconds: float, num_rows: int) -> float:
    """One row's share of the time of a pass. A time that is not positive and finite is a clock error."""
    return seconds / num_rows if 0.0 < seconds < math.inf else 0.0


@dataclass(slots=True, eq=False)
class Together:
    """Rows that were requested together, such as those of one `generate()` call.

    in_step: all rows advance position by position, and a pass ends where the first one leaves its draft.
    keeps_errors: an error of a processor, criterion, streamer or session ends its row, and is raised at the end.
    """

    in_step: bool = False
    keeps_errors: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """One answer. `commit` appends to its text; everything else that needs the text reads it from here.

    session: drafts for it, and has the prompt's tokens.
    pending: the tokens that the target's cache lacks: first the prompt (as the target reads it, padding included),
        later the last chosen token, or more if the target kept fewer than were accepted.
    remaining: tokens that may still be emitted.
    call: the rows that were requested with it. drafts_with_prompt: whether a draft may be verified in the pass that
        reads the prompt.
    num_cached: tokens in the target's cache, padding included.
    emitted: the tokens of the answer. committed: those of this pass, and the padding of a row that has ended.
    num_followed: emitted tokens that session, steering and counters have. ended: whether the answer has ended.
    gains: recent gains of its drafts. most_drafted: tokens of the longest draft that its target takes.
    likely: the target's likeliest tokens where it chose `committed`, if it reports them; only for sessions that heed
        them.
    """

    session: DraftSession
    pending: list[int]
    remaining: int
    counters: Counters = field(default_factory=Counters)
    steering: SteersRow | None = None
    call: Together = field(default_factory=Together)
    drafts_with_prompt: bool = True
    num_cached: int = 0
    emitted: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    num_followed: int = 0
    ended: bool = False
    gains: RowGains = field(default_factory=RowGains)
    most_drafted: int = NO_LIMIT
    likely: Likely | None = None
    _is_closed: bool = False

    @property
    def reads_prompt(self) -> bool:
        """Whether the next pass reads the prompt, or the last part of it."""
        return not self.emitted and not self.ended

    @property
    def heeds(self) -> bool:
        """Whether its session drafts from the target's likeliest tokens."""
        return hasattr(self.session, "heed")

    def may_branch(self) -> bool:
        """Whether its draft may be a tree; not for rows in step, which share their positions."""
        return not self.call.in_step

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted: the bonus token needs room, too."""
        return max(0, min(max_tokens, self.remaining - 1, self.most_drafted))

    def steered_draft(self, room: int, min_survival: float, *, branches: bool = False) -> Draft | None:
        """A draft of at most `room` tokens within the row's grammars; None for a row without grammars.

        Called by `proposing.py`, which drafts for all rows. branches: whether it may be a tree.
        """
        if self.steering is not None and (matchers := self.matchers()):
            draft = self.steering.draft_tree if branches else self.steering.draft
            return draft(self.session, matchers, room, min_survival)
        return None

    def legal_head(self, draft: Draft) -> Draft:
        """The head of a blind `draft` that the row's grammars allow."""
        return draft if self.steering is None else legal_part(draft, self.matchers())

    def readable_head(self, draft: Draft) -> Draft:
        """The head of `draft` that the target can read; here all of it."""
        return draft

    def matchers(self) -> Rows[Matcher]:
        """Matchers of the grammars that its drafts must fit."""
        return ()

    def advance(self, tokens: TokenArray) -> None:
        """Advance the matchers of a steered row by committed `tokens` `int32[n]`."""
        for matcher in self.matchers():
            matcher.advance(tokens.tolist())

    def commit(self, *tokens: int) -> None:
        """Emit `tokens`. If the row has ended, and others of its call keep it in the batch, they are padding."""
        self.committed += tokens
        self.remaining -= len(tokens)
        if not self.ended:
            self.emitted += tokens

    def follow(
        self, draft: Draft, committed: TokenArray, num_cached: int, undrafted: Undrafted = Undrafted.NO_MATCH
    ) -> None:
        """Update session, matchers, steering and counters after a pass by what was committed.

        committed: `self.committed` as `int32[n]`. num_cached: tokens that the target has kept, at most all but the
        last. undrafted: why the draft is empty; ignored if it is not.
        """
        self.keep(self.committed, num_cached)
        self.committed = []
        likely, self.likely = self.likely, None
        if self._is_closed:  # padding after the end of a row is not counted
            return
        size = len(self.emitted) - self.num_followed
        tokens = committed if size == committed.size else committed[:size]
        self.num_followed += size
        if isinstance(draft, Tree):
            num_accepted = draft.num_accepted(tokens.tolist())
        else:
            num_accepted = self._num_accepted(draft.tokens, size)
        self.session.observe(draft, num_accepted)
        if likely is not None:
            cast(HeedingSession, self.session).heed(likely.part(0, size))
        self.session.extend(tokens)
        if self.steering is not None:
            self.advance(tokens)
            self.steering.commit(tokens)
        self.counters.record_pass(size, draft.tokens.size, num_accepted, undrafted)
        if self.ended or self.remaining <= 0:
            self.close()

    def _num_accepted(self, draft: TokenArray, size: int) -> int:
        """How many of the `size` tokens that this pass emitted were drafted: all but the last one, or all."""
        if not size or not draft.size:
            return 0
        is_last_drafted = size <= draft.size and draft.item(size - 1) == self.emitted[-1]
        return size if is_last_drafted else size - 1

    def keeps_error(self, error: Exception) -> bool:
        """Whether an error of the row's own session ends only this row; else the whole pass fails."""
        return False

    def close(self) -> None:
        """Close the session: there are no more drafts for the row."""
        self.ended = True
        if not self._is_closed:
            self._is_closed = True
            self.session.close()

    def keep(self, tokens: list[int], num_cached: int) -> None:
        """Note that the cache now has the first `num_cached` of the text up to `tokens`; the rest is pending."""
        num_kept = num_cached - self.num_cached
        num_read = len(self.pending)
        if num_kept >= num_read:
            self.pending = tokens[num_kept - num_read :]
        else:
            self.pending = self.pending[num_kept:] + tokens
        self.num_cached = num_cached
