"""A draft under a guard is a conversation: what may come, what must come, and what probably will.

Everyone else drafts blindly and cuts the draft at its first illegal token. Here the grammar is asked at each position:
of what the drafter offers, and of what is foreseen there, the surest that is legal is drafted. All of it is a draft
like any other. The masks decide, and the text never depends on it.
"""

from collections.abc import Sequence as Rows
from contextlib import ExitStack
from typing import Protocol, cast

import numpy as np

from ngramspec.drafting.types import NO_DRAFT, Draft, DraftSession, SteerableSession, TokenArray
from ngramspec.drafting.types import Steering as DraftSteering
from ngramspec.errors import GuardError
from ngramspec.foresight import COMPACT, CONTINUED, LONGEST, PLAIN, Evidence, Foresight, JsonText, KeyedText, whole
from ngramspec.guards import Lookahead, Matcher, Vocabulary
from ngramspec.guards.source import Kind, Source

_STYLES = {"flexible": PLAIN, "spaced": PLAIN, "compact": COMPACT}
"""How a JSON text is spaced, by the whitespace of its guard; where nothing is known, one blank is foreseen."""

_MOST_TOKENS = 20_000
"""Of the texts that values are looked for in, so many tokens at the end."""


class Steered(Protocol):
    """Keeps a row's drafts within its grammars."""

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """As `DraftSession.propose`, within what all `matchers` allow; their state stays as it was."""

    def commit(self, tokens: TokenArray) -> None:
        """Follow the text by `tokens` `int32[n]`; the matchers have followed it already."""


class RowSteering:
    """Keeps a row's drafts within its grammars, and foresees what they lead to."""

    def __init__(self, matchers: Rows[Matcher], texts: Rows[TokenArray], end_token: int | None = None) -> None:
        """matchers: of the row, at their start. texts: `int32[n]` each, the prompt last; values are looked for there.

        end_token: the one that will probably end the row, None where none does.
        """
        self._end_token = end_token
        self._led: Matcher | None = None
        self._foresight: Foresight | None = None
        known = [(matcher, matcher.source) for matcher in matchers if matcher.source is not None]
        if known:  # of several grammars a schema says most
            matcher, source = min(known, key=lambda pair: pair[1].kind is not Kind.JSON_SCHEMA)
            self._led, self._foresight = matcher, _foresight(matcher, source, texts)

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        """See `Steered`. Nothing is drafted where a backend fails: if it fails again when it masks, the row ends."""
        try:
            return self._draft(session, matchers, max_tokens, min_survival)
        except GuardError:
            return session.propose(0)

    def _draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        with ExitStack() as opened:
            lookaheads = [opened.enter_context(matcher.lookahead()) for matcher in matchers]
            led = next((place for place, matcher in enumerate(matchers) if matcher is self._led), 0)
            foresight = self._foresight if matchers[led] is self._led else None
            steering = Steering(lookaheads, led, matchers[led].vocabulary, foresight, self._end_token)
            try:
                return steered(session, max_tokens, min_survival, steering)
            finally:
                steering.end()

    def commit(self, tokens: TokenArray) -> None:
        """See `Steered`."""
        if self._foresight is not None and self._led is not None and not self._led.ended:
            self._foresight.commit(tokens.tolist(), self._led.num_guarded)


class Steering:
    """The grammar's part in one draft."""

    def __init__(
        self,
        lookaheads: Rows[Lookahead],
        led: int,
        vocabulary: Vocabulary,
        foresight: Foresight | None,
        end_token: int | None,
    ) -> None:
        """lookaheads: of all grammars. led: the place among them of the one that leads, whose text is foreseen.

        vocabulary: its tokens. end_token: the one that will probably end the row.
        """
        self._end_token = end_token
        self._lookaheads, self._lead = lookaheads, lookaheads[led]
        self._vocabulary, self._foresight = vocabulary, foresight
        self._forced: list[int] = []
        self._place = 0

    def push(self, token: int) -> bool:
        """Go on by `token` where all grammars allow it; returns whether they do."""
        for place, lookahead in enumerate(self._lookaheads):
            if not lookahead.push(token):
                for earlier in self._lookaheads[:place]:
                    earlier.pop()
                return False
        if self._forced[self._place : self._place + 1] == [token]:
            self._place += 1
        else:
            self._forced, self._place = [], 0
        if self._foresight is not None:
            self._foresight.push(token, self._lead.num_guarded)
        return True

    def foreseen(self) -> tuple[int, int] | None:
        """The token that is foreseen behind what was pushed, and what speaks for it: by the schema, else forced."""
        if self._foresight is not None:
            found = self._foresight.foreseen()
            if found is not None:
                return found
            if self._end_token is not None and self._foresight.is_whole and self._lead.accepting():
                return self._end_token, Evidence.END
        return self.forced()

    def end(self) -> None:
        """The draft is made: take all back."""
        if self._foresight is not None:
            self._foresight.rewind()

    def forced(self) -> tuple[int, int] | None:
        """The token that the grammar forces there, cut as the tokenizer cuts all that is forced."""
        if self._place >= len(self._forced):
            text, self._place = self._lead.forced(), 0
            head, _ = whole(text[:LONGEST])
            self._forced = self._vocabulary.encode(head) if head else []
        if self._place >= len(self._forced):
            return None
        evidence = Evidence.FORCED if self._place == 0 else CONTINUED + Evidence.FORCED
        return self._forced[self._place], evidence


def _foresight(matcher: Matcher, source: Source, texts: Rows[TokenArray]) -> Foresight:
    vocabulary = matcher.vocabulary

    def text() -> str:
        tokens = np.concatenate([each[-_MOST_TOKENS:] for each in texts])[-_MOST_TOKENS:] if texts else NO_DRAFT
        return vocabulary.decode(tokens.tolist()).decode(errors="replace")

    is_json = source.kind is Kind.JSON_SCHEMA
    kind = JsonText(source.text, text, _STYLES[source.whitespace]) if is_json else KeyedText(text)
    return Foresight(kind, vocabulary, is_guarded=matcher.num_guarded is not None, begun=matcher.begun)


def steered(session: DraftSession, max_tokens: int, min_survival: float, steering: DraftSteering) -> Draft:
    """A draft of `session` within what `steering` allows: made in conversation, or else blindly, and filled up."""
    if hasattr(session, "steer"):  # not `isinstance`, which takes as long as a token of the draft
        return cast(SteerableSession, session).steer(max_tokens, min_survival, steering)
    return _filled(session.propose(max_tokens, min_survival), max_tokens, steering)


def _filled(draft: Draft, max_tokens: int, steering: DraftSteering) -> Draft:
    """The legal head of a draft that was made blindly, and behind it what the grammar leaves no choice about."""
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
