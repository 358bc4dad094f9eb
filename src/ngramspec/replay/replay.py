"""The decode loop over recordings: the drafter is the real one, the target plays back the recorded output."""

import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from ngramspec.decoding import (
    Budget,
    Costs,
    Engine,
    FixedBudget,
    LinearCosts,
    Plan,
    Reading,
    Row,
    Shape,
    Target,
    reading_again,
)
from ngramspec.decoding.steering import RowSteering, SteersRow
from ngramspec.drafting import NO_DRAFT, Draft, Drafter, DraftSession, Likely, TokenArray, Tree, propose_tree
from ngramspec.guards import Matcher
from ngramspec.replay.host_time import HostTime
from ngramspec.replay.traces import Trace
from ngramspec.stats import BySegment, Counters

MakeSteering = Callable[[Rows[Matcher], Rows[TokenArray]], SteersRow]
"""Makes the steering of a row from its matchers and the texts `int32[n]` that it may copy from."""


class PromptAs(StrEnum):
    """How the prompt is used: as `context` of the row; as a `reference`, like an encoder's input; or as `nothing`."""

    CONTEXT = "context"
    REFERENCE = "reference"
    NOTHING = "nothing"


class ReplayTarget(Target):
    """A target that chooses the recorded `output` `int32[n]` of one request.

    As in greedy decoding, a draft is accepted exactly as far as it agrees with the recording; of a tree, the path that
    agrees.
    """

    def __init__(
        self,
        output: TokenArray,
        num_read: int = 0,
        *,
        takes_trees: bool = False,
        reads_again: bool = False,
        likely: Likely | None = None,
    ) -> None:
        """Play back `output`, all tokens that a row emits; num_read: prompt tokens that a cache would hold.

        reads_again: whether accepted tokens are read again after a rejection, as by models with running states; drafts
        are then chains. num_read_again counts these tokens. likely: what the model held for likely where it chose the
        tokens of `output`, if that was recorded; like a model, the target tells it after passes that had a tree.
        """
        self._output, self._num_read, self._likely = output, num_read, likely
        self.takes_trees = takes_trees and not reads_again
        self.num_read_again = 0
        self._reads_again, self._widths, self._had_tree = reads_again, [0], False

    def shape(self, rows: Rows[Row]) -> Shape:
        """Known tokens of each row, with the context that a cache would hold."""
        return self._shape([len(row.pending) for row in rows], rows)

    def read(self, plans: Rows[Plan]) -> Reading:
        """The recorded tokens along each draft, and the one after it."""
        self._widths = [len(plan.row.pending) + plan.draft.tokens.size for plan in plans]
        self.num_read_again += sum(len(plan.row.pending) - 1 for plan in plans)
        shape = self._shape(self._widths, [plan.row for plan in plans])
        chains = [_Recorded(plan, self._upcoming(plan.row)) for plan in plans if not isinstance(plan.draft, Tree)]
        trees = [
            _RecordedTree(plan.row, plan.draft, self._upcoming(plan.row))
            for plan in plans
            if isinstance(plan.draft, Tree)
        ]
        self._had_tree = bool(trees)
        return Reading(shape, chains, trees=trees)

    def keep(self, rows: Rows[Row]) -> list[int]:
        """See `decoding.Target`."""
        if self._likely is not None and self._had_tree:
            for row in rows:
                if row.heeds:
                    end = self._output.size - row.remaining
                    row.likely = self._likely.part(end - len(row.committed), end)
        if not self._reads_again:
            return super().keep(rows)
        kept = reading_again.kept(rows, self._widths)
        reading_again.limit_drafts(rows, kept)
        return kept

    def _upcoming(self, row: Row) -> TokenArray:
        return self._output[-row.remaining :]

    def _shape(self, widths: Rows[int], rows: Rows[Row]) -> Shape:
        emitted = self._output.size - min(row.remaining for row in rows)
        known = max(len(row.pending) for row in rows) if self._reads_again else 0
        return Shape(len(rows), max(widths), sum(widths), self._num_read + emitted, known)


class _Recorded:
    """The choices for a row whose text continues with `upcoming` `int32[n]`."""

    def __init__(self, plan: Plan, upcoming: TokenArray) -> None:
        self.rows, self.drafts = (plan.row,), (plan.draft.tokens.tolist(),)
        self._row, self._upcoming = plan.row, upcoming[: plan.draft.tokens.size + 1].tolist()

    def at(self, position: int) -> Rows[int | None]:
        return (self._upcoming[position],)

    def end_rows(self) -> bool:
        self._row.ended = not self._row.remaining
        return self._row.ended


class _RecordedTree:
    """The choices along `tree` for a row whose text continues with `upcoming` `int32[n]`."""

    def __init__(self, row: Row, tree: Tree, upcoming: TokenArray) -> None:
        self.row, self.tree = row, tree
        self._upcoming: list[int] = upcoming[: tree.tokens.size + 1].tolist()

    def after(self, node: int) -> int | None:
        """The node is as deep as there are tokens committed in this pass."""
        return self._upcoming[len(self.row.committed)]

    def end_row(self) -> bool:
        self.row.ended = not self.row.remaining
        return self.row.ended


@dataclass(slots=True, eq=False)
class GuardedRow(Row):
    """A row whose text fits some grammars. guarded_by: their matchers, which follow the text."""

    guarded_by: Rows[Matcher] = ()

    def matchers(self) -> Rows[Matcher]:
        """See `Row.matchers`."""
        return self.guarded_by


@dataclass(slots=True)
class SegmentReport:
    """The counts and times of a replay; reports can be added.

    counters: as of a Speculator, except that the first token of an output counts neither as a token nor as a pass: it
        comes from prefill, where nothing is drafted.
    prompt_tokens: tokens of the prompts, and the first token of each output.
    drafting_ns: host time in the drafter and in steering (`propose`, `observe`, `heed`, `extend` by the emitted tokens,
        `close`; `draft` and `commit`). It includes neither the prompt nor the verification.
    prompt_ns: host time of opening sessions and of `extend` by the prompt tokens, which runs once per request in
        serving, during its prefill.
    num_read_again: accepted tokens that passes read again, if the target does that.
    """

    counters: Counters = field(default_factory=Counters)
    prompt_tokens: int = 0
    drafting_ns: int = 0
    prompt_ns: int = 0
    num_read_again: int = 0

    def add(self, other: "SegmentReport") -> None:
        """Add what `other` counted."""
        self.counters.add(other.counters)
        self.prompt_tokens += other.prompt_tokens
        self.drafting_ns += other.drafting_ns
        self.prompt_ns += other.prompt_ns
        self.num_read_again += other.num_read_again

    def modelled_speedup(self, costs: LinearCosts, host: HostTime | None = None) -> float:
        """Tokens per second divided by those of plain decoding, at the prices of `costs`.

        host: of the loop; each pass then takes longer by this and by the time of drafting for all rows. Nothing is
        added to a pass of plain decoding. Draft lengths were chosen without that time.
        """
        drafted = (self.counters.num_draft_tokens + self.num_read_again) / max(self.counters.target_passes, 1)
        more = 0.0 if host is None else host.of(costs.batch, self.drafting_of_pass)
        return self.counters.tokens_per_pass * costs.of(1) / (costs.of(1 + drafted) + more)

    @property
    def drafting_of_pass(self) -> float:
        """Seconds of drafting, per row and pass."""
        return self.drafting_ns / 1e9 / max(self.counters.target_passes, 1)

    def as_dict(self) -> dict[str, int | float]:
        """The figures that `ngramspec replay --json` prints."""
        counters = self.counters
        return {
            "requests": counters.requests,
            "tokens": counters.tokens,
            "target_passes": counters.target_passes,
            "num_draft_tokens": counters.num_draft_tokens,
            "num_accepted_tokens": counters.num_accepted_tokens,
            "acceptance_rate": counters.acceptance_rate,
            "tokens_per_pass": counters.tokens_per_pass,
            "us_per_token": self.drafting_ns / 1e3 / max(counters.tokens, 1),
            "prompt_tokens": self.prompt_tokens,
            "us_per_prompt_token": self.prompt_ns / 1e3 / max(self.prompt_tokens, 1),
        }


@dataclass(slots=True)
class Report:
    """A replay's figures: in total, and by segment in order of first use.

    Requests without a segment are in the total only. Requests whose output is a repetition loop are in neither, because
    they flatter every drafter; `num_degenerate_loops` counts them.
    """

    total: SegmentReport = field(default_factory=SegmentReport)
    num_degenerate_loops: int = 0
    _by_segment: BySegment[SegmentReport] = field(default_factory=lambda: BySegment(SegmentReport))

    @property
    def segments(self) -> dict[str, SegmentReport]:
        """The figures by segment; beyond a bound, the least recently used segments are summed as "other"."""
        return self._by_segment.sums

    def add(self, request: SegmentReport, segment: str | None) -> None:
        """Add one request's figures."""
        self.total.add(request)
        if segment is not None:
            self._by_segment.add(request, segment)

    def as_dict(self) -> dict[str, object]:
        """The object that `ngramspec replay --json` prints."""
        return {
            "total": self.total.as_dict(),
            "segments": {name: report.as_dict() for name, report in self.segments.items()},
            "num_degenerate_loops": self.num_degenerate_loops,
        }


def replay(
    traces: Iterable[Trace],
    drafter: Drafter,
    *,
    max_draft_tokens: int = 10,
    budget: Budget | None = None,
    costs: Costs | None = None,
    prompt_as: PromptAs = PromptAs.CONTEXT,
    steer: MakeSteering = RowSteering,
    clock: Callable[[], int] = time.perf_counter_ns,
    takes_trees: bool = False,
    reads_again: bool = False,
) -> Report:
    """Play the requests back one after another, and count; clock: returns nanoseconds.

    budget: decides the length of drafts, instead of `max_draft_tokens`. costs: its prices.
    steer: makes the steering of a guarded request from its matchers and prompt.
    prompt_as: an encoder-decoder model has its prompt as a reference; `nothing` shows what that reference gains.
    takes_trees: whether drafts may be trees. reads_again: as by a model with running states, see `ReplayTarget`.
    """
    budget = FixedBudget(max_draft_tokens) if budget is None else budget
    costs = LinearCosts(1.0, 0.0) if costs is None else costs
    report = Report()
    for trace in traces:
        if trace.degenerate_loop:
            report.num_degenerate_loops += 1
        else:
            make = partial(ReplayTarget, takes_trees=takes_trees, reads_again=reads_again)
            report.add(_replay_one(trace, drafter, budget, costs, prompt_as, steer, clock, make), trace.segment)
    return report


def _replay_one(
    trace: Trace,
    drafter: Drafter,
    budget: Budget,
    costs: Costs,
    prompt_as: PromptAs,
    steer: MakeSteering,
    clock: Callable[[], int],
    make_target: Callable[..., ReplayTarget],
) -> SegmentReport:
    counters = Counters(requests=1)
    if trace.output.size < 2:  # all of it came from prefill
        return SegmentReport(counters)
    start = clock()
    session = drafter.open(trace.segment, [trace.prompt] if prompt_as is PromptAs.REFERENCE else ())
    session.extend(trace.prompt if prompt_as is PromptAs.CONTEXT else NO_DRAFT)
    session.extend(trace.output[:1])
    prompt_ns = clock() - start

    timed = _TimedSession(session, clock)
    matchers = [] if trace.guard is None else [trace.guard.matcher()]
    texts = [] if prompt_as is PromptAs.NOTHING else [trace.prompt]
    steering = _TimedSteering(steer(matchers, texts), timed) if matchers else None
    for matcher in matchers:
        matcher.advance(trace.output[:1])
    if steering is not None:
        steering.commit(trace.output[:1])
    row = GuardedRow(
        timed,
        pending=trace.output[:1].tolist(),
        remaining=trace.output.size - 1,
        counters=counters,
        steering=steering,
        guarded_by=matchers,
        emitted=trace.output[:1].tolist(),
        num_followed=1,
    )
    num_read = trace.prompt.size if prompt_as is PromptAs.CONTEXT else 0
    target = make_target(trace.output, num_read, likely=None if trace.output_top is None else trace.output_top.likely)
    engine = Engine(budget, costs, lambda: clock() / 1e9)
    engine.add([row], target)
    while engine.rows:
        engine.step()
    return SegmentReport(counters, trace.prompt.size + 1, timed.elapsed_ns, prompt_ns, target.num_read_again)


class _TimedSession:
    """A session that measures the time spent in it. untimed: the session that it wraps. clock: returns nanoseconds."""

    def __init__(self, session: DraftSession, clock: Callable[[], int]) -> None:
        self.elapsed_ns = 0
        self.untimed, self.clock = session, clock
        if hasattr(session, "heed"):
            self.heed = partial(self._heed, session.heed)

    def extend(self, tokens: TokenArray) -> None:
        start = self.clock()
        self.untimed.extend(tokens)
        self.elapsed_ns += self.clock() - start

    def _heed(self, heed: Callable[[Likely], None], likely: Likely) -> None:
        start = self.clock()
        heed(likely)
        self.elapsed_ns += self.clock() - start

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        start = self.clock()
        draft = self.untimed.propose(max_tokens, min_survival)
        self.elapsed_ns += self.clock() - start
        return draft

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        start = self.clock()
        draft = propose_tree(self.untimed, max_nodes, min_survival)
        self.elapsed_ns += self.clock() - start
        return draft

    def observe(self, draft: Draft, num_accepted: int) -> None:
        start = self.clock()
        self.untimed.observe(draft, num_accepted)
        self.elapsed_ns += self.clock() - start

    def close(self) -> None:
        start = self.clock()
        self.untimed.close()
        self.elapsed_ns += self.clock() - start


class _TimedSteering:
    """Steering of a row whose time counts as that of its session."""

    def __init__(self, steering: SteersRow, session: _TimedSession) -> None:
        self._steering, self._timed = steering, session

    def draft(self, session: DraftSession, matchers: Rows[Matcher], max_tokens: int, min_survival: float) -> Draft:
        return self._drafted(self._steering.draft, matchers, max_tokens, min_survival)

    def draft_tree(self, session: DraftSession, matchers: Rows[Matcher], max_nodes: int, min_survival: float) -> Draft:
        return self._drafted(self._steering.draft_tree, matchers, max_nodes, min_survival)

    def _drafted(
        self,
        draft: Callable[[DraftSession, Rows[Matcher], int, float], Draft],
        matchers: Rows[Matcher],
        most: int,
        min_survival: float,
    ) -> Draft:
        timed = self._timed
        start = timed.clock()
        drafted = draft(timed.untimed, matchers, most, min_survival)
        timed.elapsed_ns += timed.clock() - start
        return drafted

    def commit(self, tokens: TokenArray) -> None:
        timed = self._timed
        start = timed.clock()
        self._steering.commit(tokens)
        timed.elapsed_ns += timed.clock() - start
