"""Steering: drafts are made within what a row's grammars allow, and with what they foresee.

The usual way is to draft without the grammar and to cut the draft at its first illegal token. Here the grammar takes
part at each position: of the drafter's offers and the foreseen token, the surest that is legal is drafted. The result
is a draft like any other: the masks decide, and the text never depends on steering.
"""

from collections.abc import Sequence as Rows
from contextlib import ExitStack
from functools import cache
from itertools import takewhile
from typing import Protocol, cast

import numpy as np

from ngramspec.drafting.types import NO_DRAFT, Draft, DraftSession, SteerableSession, Steering, TokenArray
from ngramspec.errors import GuardError
from ngramspec.foresight import CONTINUED, LONGEST, Evidence, Foresight, Grammar, text_of, whole
from ngramspec.guards import Lookahead, Matcher, Vocabulary
from ngramspec.guards.source import Language, Source

_MOST_TOKENS = 20_000
"""Values are searched for in the last this many tokens of the texts."""


class SteersRow(Protocol):
    """Keeps a row's drafts within its grammars."""

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """As `DraftSession.propose`, within what all `matchers` allow; their state stays as it was."""

    def commit(self, tokens: TokenArray) -> None:
        """Take in committed `tokens` `int32[n]`; the matchers have advanced already."""


class RowSteering:
    """Keeps a row's drafts within its grammars, and adds what they foresee."""

    def __init__(self, matchers: Rows[Matcher], texts: Rows[TokenArray], end_token: int | None = None) -> None:
        """matchers: of the row, in their start state. texts: `int32[n]` each, the prompt last; searched for values.

        end_token: the token that will probably end the row; None if no token ends it.
        """
        self._end_token = end_token
        self._lead: Matcher | None = None
        self._foresight: Foresight | None = None
        known = [(matcher, matcher.source) for matcher in matchers if matcher.source is not None]
        if known:  # of several grammars, a schema foresees most
            matcher, source = min(known, key=lambda pair: pair[1].language is not Language.JSON_SCHEMA)
            self._lead, self._foresight = matcher, _foresight(matcher, source, texts)

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """See `SteersRow`. Empty if a backend fails: the row ends only if the backend fails again when it masks."""
        try:
            return self._draft(session, matchers, max_tokens, min_survival)
        except GuardError:
            return session.propose(0)

    def _draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        with ExitStack() as opened:
            lookaheads = [opened.enter_context(matcher.lookahead()) for matcher in matchers]
            lead = next((index for index, matcher in enumerate(matchers) if matcher is self._lead), 0)
            foresight = self._foresight if matchers[lead] is self._lead else None
            steering = DraftSteering(lookaheads, lead, matchers[lead].vocabulary, foresight, self._end_token)
            try:
                return steered_draft(session, max_tokens, min_survival, steering)
            finally:
                steering.end()

    def commit(self, tokens: TokenArray) -> None:
        """See `SteersRow`."""
        if self._foresight is not None and self._lead is not None and not self._lead.ended:
            self._foresight.commit(tokens.tolist(), self._lead.num_guarded)


class DraftSteering:
    """The `Steering` of one draft: what the row's grammars allow and foresee at each position."""

    def __init__(
        self,
        lookaheads: Rows[Lookahead],
        lead: int,
        vocabulary: Vocabulary,
        foresight: Foresight | None,
        end_token: int | None,
    ) -> None:
        """lookaheads: one per grammar. lead: index of the grammar whose text is foreseen. foresight: of that grammar.

        vocabulary: of that grammar. end_token: the token that will probably end the row.
        """
        self._end_token = end_token
        self._lookaheads, self._lead = lookaheads, lookaheads[lead]
        self._vocabulary, self._foresight = vocabulary, foresight
        self._forced: list[int] = []
        self._num_followed = 0

    def push(self, token: int) -> bool:
        """Advance by `token` if all grammars allow it; returns whether they do."""
        for index, lookahead in enumerate(self._lookaheads):
            if not lookahead.push(token):
                for earlier in self._lookaheads[:index]:
                    earlier.pop()
                return False
        if self._forced[self._num_followed : self._num_followed + 1] == [token]:
            self._num_followed += 1
        else:
            self._forced, self._num_followed = [], 0
        if self._foresight is not None:
            self._foresight.push(token, self._lead.num_guarded)
        return True

    def foreseen(self) -> tuple[int, int] | None:
        """The token foreseen after the pushed ones, and its evidence code; where there is no foresight, as `forced`."""
        if self._foresight is not None:
            found = self._foresight.foreseen()
            if found is not None:
                return found
            if self._end_token is not None and self._foresight.is_whole and self._lead.accepting():
                return self._end_token, Evidence.END
        return self.forced()

    def end(self) -> None:
        """The draft is made: undo all pushes."""
        if self._foresight is not None:
            self._foresight.rewind()

    def forced(self) -> tuple[int, int] | None:
        """The token that the grammar forces next, if any: the forced bytes are tokenised as a whole."""
        if self._num_followed >= len(self._forced):
            text, self._num_followed = self._lead.forced(), 0
            head, _ = whole(text[:LONGEST])
            self._forced = self._vocabulary.encode(head) if head else []
        if self._num_followed >= len(self._forced):
            return None
        evidence = Evidence.FORCED if self._num_followed == 0 else CONTINUED + Evidence.FORCED
        return self._forced[self._num_followed], evidence


def _foresight(matcher: Matcher, source: Source, texts: Rows[TokenArray]) -> Foresight | None:
    """None if no kind of text suits the grammar."""
    vocabulary = matcher.vocabulary

    @cache
    def prompt() -> str:
        tokens = np.concatenate([each[-_MOST_TOKENS:] for each in texts])[-_MOST_TOKENS:] if texts else NO_DRAFT
        return vocabulary.decode(tokens.tolist()).decode(errors="replace")

    text = text_of(Grammar(source.language, source.text, source.whitespace, source.salt), prompt)
    if text is None:
        return None
    return Foresight(text, vocabulary, is_guarded=matcher.num_guarded is not None, begun=matcher.begun)


def legal_head(draft: Draft, matchers: Rows[Matcher]) -> Draft:
    """The head of `draft` that all `matchers` allow; their state stays as it was. Empty if a backend fails."""
    try:
        for matcher in matchers:
            with matcher.lookahead() as ahead:
                draft = draft.head(sum(1 for _ in takewhile(ahead.push, draft.tokens.tolist())))
    except GuardError:
        return draft.head(0)
    return draft


def steered_draft(session: DraftSession, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
    """A draft of `session` within what `steering` allows: steered if the session can be, else cut and extended."""
    if hasattr(session, "steer"):  # not `isinstance`, which takes as long as drafting a token
        return cast(SteerableSession, session).steer(max_tokens, min_survival, steering)
    return _filled(session.propose(max_tokens, min_survival), max_tokens, steering)


def _filled(draft: Draft, max_tokens: int, steering: Steering) -> Draft:
    """The legal head of an unsteered draft, and after it the tokens that the grammar forces."""
    tokens, survival = [], []
    for token, probability in zip(draft.tokens.tolist(), draft.survival.tolist(), strict=True):
        if not steering.push(token):
            break
        tokens.append(token)
        survival.append(probability)
    while len(tokens) < max_tokens:
        found = steering.foreseen()
        if found is None or found[1] % CONTINUED > Evidence.FORCED or not steering.push(found[0]):
            break
        tokens.append(found[0])
        survival.append(survival[-1] if survival else 1.0)
    return Draft(np.array(tokens, np.int32), np.array(survival))
