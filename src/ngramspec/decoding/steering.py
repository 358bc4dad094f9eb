"""Steering: drafts are made within what a row's grammars allow, and with what they foresee.

The usual way is to draft without the grammar and to cut the draft at its first illegal token. Here the grammar takes
part at each position: of the drafter's offers and the foreseen token, the surest that is legal is drafted. The result
is a draft like any other: the masks decide, and the text never depends on steering.
"""

from collections.abc import Callable
from collections.abc import Sequence as Rows
from contextlib import ExitStack
from functools import cache
from typing import Protocol, cast

import numpy as np

from ngramspec.decoding.legal_nodes import legal_nodes, push
from ngramspec.drafting.types import (
    NO_DRAFT,
    Draft,
    DraftSession,
    SteerableSession,
    SteerableTreeSession,
    Steering,
    TokenArray,
    Tree,
)
from ngramspec.errors import GuardError
from ngramspec.foresight import (
    CONTINUED,
    LONGEST,
    End,
    Evidence,
    Foresight,
    Grammar,
    Piece,
    Run,
    Speller,
    spelled,
    text_of,
    whole,
)
from ngramspec.guards import Lookahead, Matcher, Vocabulary
from ngramspec.guards.source import Language, Source

_AHEAD = 6
"""Foreseen tokens that the grammars read at a time."""

_MOST_TOKENS = 20_000
"""Tokens at the end of the texts that are searched for values."""

_MakeDraft = Callable[[DraftSession, int, float, "DraftSteering"], Draft]
"""Makes a session's draft: of how many tokens at most, of which survival at least, and within which steering."""


class SteersRow(Protocol):
    """Keeps a row's drafts within its grammars."""

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """As `DraftSession.propose`, within what all `matchers` allow; their state stays as it was."""

    def draft_tree(self, session: DraftSession, matchers: Rows[Matcher], max_nodes: int, min_survival: float) -> Draft:
        """As `draft`, for a target that takes trees: a `Tree` of up to `max_nodes` nodes, or a chain."""

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
        return self._within(steered_draft, session, matchers, max_tokens, min_survival)

    def draft_tree(self, session: DraftSession, matchers: Rows[Matcher], max_nodes: int, min_survival: float) -> Draft:
        """See `SteersRow`, and `draft`. A session that cannot be steered along a tree drafts a chain."""
        draft = steered_tree if hasattr(session, "steer_tree") else steered_draft
        return self._within(draft, session, matchers, max_nodes, min_survival)

    def _within(
        self, draft: _MakeDraft, session: DraftSession, matchers: Rows[Matcher], most: int, min_survival: float
    ) -> Draft:
        lead = next((index for index, matcher in enumerate(matchers) if matcher is self._lead), 0)
        foresight = self._foresight if matchers[lead] is self._lead else None
        try:
            with ExitStack() as opened:
                lookaheads = [opened.enter_context(matcher.lookahead()) for matcher in matchers]
                steering = DraftSteering(lookaheads, lead, matchers[lead].vocabulary, foresight, self._end_token)
                return draft(session, most, min_survival, steering)
        except GuardError:
            return session.propose(0)

    def commit(self, tokens: TokenArray) -> None:
        """See `SteersRow`."""
        if self._foresight is not None and self._lead is not None and not self._lead.ended:
            self._foresight.commit(tokens.tolist(), self._lead.num_guarded)


class DraftSteering:
    """The `Steering` of one draft: what the row's grammars allow and foresee at each position.

    What is foreseen is a run of tokens, made once; while the draft follows it, each position is a lookup. The grammars
    read the run some tokens ahead of the draft, and roll back where the draft leaves it.
    """

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
        self._foresight = foresight
        self._speller = Speller(vocabulary) if foresight is None else foresight.speller
        if foresight is not None:
            foresight.rewind()
        self._drafted: list[int] = []
        self._run: Run | End | None = None
        self._steps: list[tuple[int, int]] = []
        self._position = self._num_sure = 0  # tokens of the run: followed, and known
        self._num_read = 0  # by the grammars

    def foreseen(self) -> tuple[int, int] | None:
        """The token foreseen after the pushed ones, and its evidence code; without foresight, as `forced`."""
        if self._position < self._num_sure or self._look_on():
            return self._steps[self._position]
        return None

    def push(self, token: int) -> bool:
        """Advance by `token` if all grammars allow it; returns whether they do."""
        position = self._position
        if position >= self._num_sure or token != self._steps[position][0]:
            return self._leave(token)
        if position == self._num_read and not self._read_on():
            return False
        self._position = position + 1
        self._drafted.append(token)
        return True

    def forced(self) -> tuple[int, int] | None:
        """The token that the grammar forces next, if any: the forced bytes are tokenised as a whole."""
        self._return()
        run = self._forced()
        if run is None:
            return None
        self._follow(run)
        return run.steps[0]

    def legal_part(self, tree: Tree) -> Tree:
        """The nodes of `tree` whose paths all grammars allow; the pushed tokens are known to be legal."""
        self._return()
        return tree.pruned(legal_nodes(tree, self._lookaheads, self._drafted))

    def _follow(self, run: Run | End | None) -> None:
        """Follow `run` from here on; None: nothing is foreseen."""
        self._run = run
        self._steps, self._num_sure = ([], 0) if run is None else (run.steps, run.num_sure)
        self._position = self._num_read = 0

    def _look_on(self) -> bool:
        """Make the next foreseen token; returns whether there is one."""
        if self._run is None or not self._run.reaches(self._position):
            self._follow(self._foreseen())
        else:
            self._steps, self._num_sure = self._run.steps, self._run.num_sure
        return self._position < self._num_sure

    def _foreseen(self) -> Run | End | None:
        if self._foresight is not None:
            num_guarded = self._lead.num_guarded
            found = self._foresight.run(self._drafted, num_guarded)
            if found is not None:
                return found
            is_whole = self._end_token is not None and self._foresight.is_whole(self._drafted, num_guarded)
            if self._end_token is not None and is_whole and self._lead.accepting():
                return End(self._end_token)
        return self._forced()

    def _forced(self) -> Run | None:
        head, _ = whole(self._lead.forced()[:LONGEST])
        return spelled([Piece(head, Evidence.FORCED)], self._speller) if head else None

    def _read_on(self) -> bool:
        """Have all grammars read the next tokens of the run; returns whether they take the first of them."""
        end = min(self._num_read + _AHEAD, self._num_sure)
        tokens = [token for token, _ in self._steps[self._num_read : end]]
        for index, lookahead in enumerate(self._lookaheads):
            num_taken = lookahead.push_all(tokens)
            for earlier in self._lookaheads[:index]:
                earlier.pop(len(tokens) - num_taken)
            tokens = tokens[:num_taken]
        self._num_read += len(tokens)
        return bool(tokens)

    def _return(self) -> None:
        """Roll the grammars back to the end of the draft."""
        if self._num_read > self._position:
            for lookahead in self._lookaheads:
                lookahead.pop(self._num_read - self._position)
            self._num_read = self._position

    def _leave(self, token: int) -> bool:
        """As `push`, for a token other than the foreseen one."""
        self._return()
        if not push(token, self._lookaheads):
            return False
        self._drafted.append(token)
        self._follow(None)
        return True


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


def legal_part(draft: Draft, matchers: Rows[Matcher]) -> Draft:
    """The head of a chain, or the nodes of a tree, that all `matchers` allow; their state stays as it was.

    Empty if a backend fails.
    """
    try:
        for matcher in matchers:
            with matcher.lookahead() as ahead:
                if isinstance(draft, Tree):
                    draft = draft.pruned(legal_nodes(draft, [ahead]))
                else:
                    draft = draft.head(ahead.push_all(draft.tokens.tolist()))
    except GuardError:
        return draft.head(0)
    return draft


def steered_draft(session: DraftSession, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
    """A draft of `session` within what `steering` allows: steered if the session can be, else cut and extended."""
    if hasattr(session, "steer"):  # not `isinstance`, which takes as long as drafting a token
        return cast(SteerableSession, session).steer(max_tokens, min_survival, steering)
    return _filled(session.propose(max_tokens, min_survival), max_tokens, steering)


def steered_tree(session: DraftSession, max_nodes: int, min_survival: float, steering: DraftSteering) -> Draft:
    """As `steered_draft`: a tree around the steered chain, as far as the grammars allow it."""
    draft = cast(SteerableTreeSession, session).steer_tree(max_nodes, min_survival, steering)
    return steering.legal_part(draft) if isinstance(draft, Tree) else draft


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
