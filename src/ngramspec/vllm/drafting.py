"""Drafts for an engine that decodes on its own: takes its requests' tokens, gives drafts. Independent of the engine."""

import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from ngramspec.decoding import AdaptiveBudget, Budget, Clock, MeasuredCosts, Plan, Shape, plan
from ngramspec.decoding.gains import by_tokens
from ngramspec.decoding.row import share_of
from ngramspec.drafting import Drafter, TokenArray, salted
from ngramspec.stats import Counters, GuardOutcome, Stats, Undrafted
from ngramspec.vllm.rows import EngineRow
from ngramspec.vllm.trouble import Trouble
from ngramspec.watching import Drifts
from ngramspec.watching.templates import HEAD, template_of


class Drafting:
    """Rows that come and go, which are drafted for together as long as that pays.

    What pays is measured: passes by the times that the engine reports, drafting by the clock. The engine packs its
    rows, so cost follows tokens, not columns.

    rows: by the engine's key, from their first token on. stats: by segment, of closed rows. drifts: of segments whose
    accepted share changed. clock: times drafting, and should time passes.
    """

    def __init__(
        self,
        drafter: Drafter,
        trouble: Trouble,
        *,
        max_draft_tokens: int,
        vocabulary: int,
        budget: Budget | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """max_draft_tokens: most that the engine verifies per row and pass. vocabulary: number of ids the model knows.

        budget: how long drafts are; by default as long as they pay.
        """
        self.rows: dict[Hashable, EngineRow] = {}
        self.drifts = Drifts()
        self.stats = Stats(self.drifts.add)
        self.clock = clock
        self._drafter, self._trouble = drafter, trouble
        self._max_draft_tokens, self._vocabulary = max_draft_tokens, vocabulary
        self._budget = AdaptiveBudget() if budget is None else budget
        self._costs = MeasuredCosts(counts_fill=False)
        self._read_for: dict[Hashable, float] = {}  # seconds of passes, by requests without a row yet

    def expect(self, key: Hashable) -> None:
        """A request will have a row once its prompt is read; count the time of that for it."""
        self._read_for[key] = 0.0

    def open(
        self, key: Hashable, prompt: TokenArray, *, segment: str | None = None, cache_salt: str | None = None
    ) -> EngineRow:
        """A row for a request. prompt: `int32[P]`. segment: whose history it shares. cache_salt: separates tenants.

        Raises ValueError as `salted` does.
        """
        session = self._drafter.open(salted(segment, cache_salt))
        session.extend(prompt)
        row = EngineRow(
            session,
            [],
            0,
            Counters(requests=1, verifying_seconds=self._read_for.pop(key, 0.0)),
            prompt=prompt,
            segment=segment,
            vocabulary=self._vocabulary,
            most_drafted=self._max_draft_tokens,
            trouble=self._trouble,
            num_read=prompt.size,
        )
        self.rows[key] = row
        return row

    def draft(self, keys: Sequence[Hashable], room: int | None = None) -> list[list[int]]:
        """For each row, in order, the token ids that the engine's next pass should verify; it may verify fewer.

        room: the most tokens of all drafts together; the surest are kept. None: no bound.
        """
        rows = [self.rows[key] for key in keys]
        if not rows:
            return []
        plans = plan(rows, self._budget, self._shape(len(rows), len(rows), 1), self._costs, self.clock)
        if room is not None and sum([each.draft.tokens.size for each in plans]) > room:
            _fit(plans, room)
        for row, each in zip(rows, plans, strict=True):
            row.undrafted = each.undrafted
        return [each.draft.tokens.tolist() for each in plans]

    def passed(
        self,
        num_scheduled: Mapping[Any, int],
        verified: Mapping[Any, Sequence[int]],
        num_emitted: int,
        seconds: float,
    ) -> None:
        """The engine has made a pass. To be called before its rows `read` the emitted tokens.

        num_scheduled: tokens read for each row, drafted ones included. verified: the draft of each row that had one.
        """
        for key, draft in verified.items():
            if key in self.rows:
                self.rows[key].verified = draft
        if not num_scheduled:
            return
        self._share(seconds, num_scheduled)
        widest = 1 + max(map(len, verified.values()), default=0)
        shape = self._shape(len(num_scheduled), sum(num_scheduled.values()), widest)
        if all(number == 1 + len(verified.get(key, ())) for key, number in num_scheduled.items()):
            self._costs.record(shape, seconds, num_emitted)
        else:
            self._costs.record_prompt(shape, seconds)

    def _share(self, seconds: float, keys: Collection[Hashable]) -> None:
        """Split the time of a pass equally among its rows, also while their prompts are read."""
        share = share_of(seconds, len(keys))
        for key in keys:
            if key in self.rows:
                self.rows[key].counters.verifying_seconds += share
            elif key in self._read_for:
                self._read_for[key] += share

    def close(self, key: Hashable, outcome: GuardOutcome | None = None) -> None:
        """The request has ended: add its answer to the history of its segment, and its counters to `stats`.

        outcome: how its text ended, if a grammar of the engine guarded it.
        """
        row = self.rows[key]
        self.forget(key)
        row.close()
        if outcome is not None:
            row.counters.num_guarded_per_outcome = {outcome: 1}
        self.stats.add(row.counters, row.segment, template_of(row.prompt[:HEAD].tolist()))

    def forget(self, key: Hashable) -> None:
        """Drop a request. Unless it is closed, it is not counted."""
        self.rows.pop(key, None)
        self._read_for.pop(key, None)

    def _shape(self, num_rows: int, num_tokens: int, columns: int) -> Shape:
        return Shape(num_rows, columns, num_tokens, max((row.num_read for row in self.rows.values()), default=0))


def _fit(plans: Sequence[Plan], room: int) -> None:
    """Cut the drafts, which have more than `room` tokens together, to the surest `room`."""
    _, lengths = by_tokens([each.draft for each in plans])
    for each, length in zip(plans, lengths(room), strict=True):
        if each.draft.tokens.size and not length:
            each.undrafted = Undrafted.NO_ROOM
        each.draft = each.draft.head(length)
