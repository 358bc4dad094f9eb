"""Steering, slow and obvious: each question is answered from the beginning of the text on."""

from collections.abc import Iterable, Sequence
from typing import Any

from ngramspec.foresight import LONGEST, Evidence, Piece, whole
from ngramspec.foresight.run import Step
from ngramspec.guards import Guard, Matcher
from tests.foresight.following import steps


class SlowSteering:
    """The `Steering` of one row, over all its drafts. It pushes single tokens, on fresh matchers."""

    def __init__(self, guards: Sequence[Guard], ends: Iterable[int], text: Any, end_token: int | None) -> None:
        """guards: the first one leads. text: that of the row, as `text_of` made it; None: nothing is foreseen."""
        self._guards, self._ends, self._text, self._end_token = guards, [*ends], text, end_token
        self.committed: list[int] = []
        self._drafted: list[int] = []
        self._run: Sequence[Step] = ()

    @property
    def _all(self) -> list[int]:
        return [*self.committed, *self._drafted]

    def _matchers(self) -> list[Matcher]:
        found = [guard.matcher(self._ends) for guard in self._guards]
        for matcher in found:
            for token in self._all:
                matcher.advance([token])
        return found

    def foreseen(self) -> Step | None:
        if not self._run:
            self._run = self._foresee()
        return self._run[0] if self._run else None

    def push(self, token: int) -> bool:
        for matcher in self._matchers():
            with matcher.lookahead() as ahead:
                if not ahead.push(token):
                    return False
        self._run = self._run[1:] if self._run and self._run[0][0] == token else ()
        self._drafted.append(token)
        return True

    def forced(self) -> Step | None:
        run = self._forced()
        if run:
            self._run = run
        return run[0] if run else None

    def commit(self, tokens: Sequence[int]) -> None:
        self.committed += tokens
        self._drafted, self._run = [], ()

    def _foresee(self) -> list[Step]:
        lead = self._matchers()[0]
        text = lead.vocabulary.decode(self._all)
        if self._text is not None and lead.num_guarded is not None:
            read, rest = whole(text[-lead.num_guarded :] if lead.num_guarded else b"")
            cursor = self._text.read(self._text.start(), read)
            found = (
                []
                if rest
                else steps(self._text.foresee(cursor), lead.vocabulary, in_words=getattr(self._text, "in_words", False))
            )
            if found:
                return found
            if self._end_token is not None and self._text.is_whole(cursor) and lead.accepting():
                return [(self._end_token, int(Evidence.END))]
        return self._forced()

    def _forced(self) -> list[Step]:
        lead = self._matchers()[0]
        with lead.lookahead() as ahead:
            head, _ = whole(ahead.forced()[:LONGEST])
        return steps([Piece(head, Evidence.FORCED)] if head else [], lead.vocabulary)


Answer = tuple[str, Any]
"""A question, and its answer."""


def play(steering: Any, offers: Sequence[Sequence[int]], orders: Sequence[int]) -> tuple[list[int], list[Answer]]:
    """A draft as a chain makes it: at each position the foreseen token and what is offered, in some order; and answers.

    offers: tokens offered at each position. orders: at each position how many of them come before the foreseen one.
    """
    drafted: list[int] = []
    answers: list[Answer] = []
    for own, order in zip(offers, orders, strict=True):
        foreseen = steering.foreseen()
        answers.append(("foreseen", foreseen))
        tokens = [*dict.fromkeys([*own[:order], *([] if foreseen is None else foreseen[:1]), *own[order:]])]
        taken = next((token for token in tokens if steering.push(token)), None)
        answers.append((f"push {tokens}", taken))
        if taken is None and foreseen is not None:  # it was refused, and may have hidden what must come
            forced = steering.forced()
            answers.append(("forced", forced))
            if forced is not None and forced[0] not in tokens and steering.push(forced[0]):
                taken = forced[0]
        if taken is None:
            break
        drafted.append(taken)
    return drafted, answers
