"""The loop: plan, read, commit. It depends on no framework; a target may be a model or a recording."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ngramspec.decoding.budget import Budget, usual_terms
from ngramspec.decoding.commit import Choices, Settled, TreeChoices, commit, commit_settled, commit_tree
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.gains import sure_of_all
from ngramspec.decoding.proposing import propose
from ngramspec.decoding.row import Row, Together, share_of
from ngramspec.decoding.undrafted import why_refused, why_undrafted
from ngramspec.drafting.types import Draft
from ngramspec.stats import Undrafted

Clock = Callable[[], float]
"""A monotonic clock in seconds, such as `time.perf_counter`."""


@dataclass(slots=True)
class Plan:
    """One row's share of a pass: read `row.pending`, then verify `draft`.

    undrafted: why the draft is empty; ignored if it is not.
    """

    row: Row
    draft: Draft
    undrafted: Undrafted = Undrafted.NO_MATCH


class Reading(NamedTuple):
    """What a forward pass has read.

    shape: of the pass that was made, drafts included. choices: one for each group of rows that move together.
    settled: rows whose choices are fixed already; a target may have all its rows in `choices` instead.
    trees: one for each row whose draft is a tree.
    """

    shape: Shape
    choices: Rows[Choices]
    settled: Rows[Settled] = ()
    trees: Rows[TreeChoices] = ()


class Target(ABC):
    """Reads drafts in one pass, and chooses a token at each position until its choice leaves the draft.

    takes_trees: whether a draft may be a `Tree`.
    """

    takes_trees: bool = False

    @abstractmethod
    def shape(self, rows: Rows[Row]) -> Shape:
        """Shape of the next pass over these rows, without drafts."""

    @abstractmethod
    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass over all rows."""

    def keep(self, rows: Rows[Row]) -> list[int]:
        """Called once the choices are committed; returns how many tokens of each row the cache now holds.

        At most all but the last one, which is read again even if it was drafted and its key is cached.
        """
        return [row.num_cached + len(row.pending) + len(row.committed) - 1 for row in rows]

    def ready(self, rows: Rows[Row]) -> Rows[Row]:
        """The live `rows` that the next pass can advance; here, all."""
        return rows

    def leave(self, row: Row) -> None:  # noqa: B027 (a target that holds nothing has nothing to release)
        """The row has ended, or was removed, and is not read again."""


def plan(
    rows: Rows[Row],
    budget: Budget,
    shape: Shape,
    costs: Costs,
    clock: Clock = time.perf_counter,
    *,
    takes_trees: bool = False,
) -> list[Plan]:
    """Draft for every row, within its allotment; shape: the pass without drafts. takes_trees: of the target."""
    may_draft = [row.drafts_with_prompt or not row.reads_prompt for row in rows]
    terms = budget.terms(rows, shape, costs) if any(may_draft) else usual_terms(rows, 1.0)
    # A row that may not draft yet proposes nevertheless: sessions learn from what they would have drafted.
    most = [budget.max_draft_tokens * may for may in may_draft]
    drafts = propose(rows, most, terms, costs, clock, takes_trees=takes_trees)
    lengths = _allotted(rows, drafts, budget, shape, costs) if any(may_draft) else [0] * len(rows)
    plans, refused = [], []
    for row, draft, length in zip(rows, drafts, lengths, strict=True):
        if length and draft.tokens.size:
            head = draft.head(length)
            if head is not draft:
                row.counters.num_shortened_drafts += 1
            plans.append(Plan(row, head))
            continue
        undrafted = why_undrafted(row, draft, budget)
        plans.append(Plan(row, draft.head(0), undrafted or Undrafted.TOO_DEAR))
        if undrafted is None:
            refused.append(plans[-1])
    if refused:
        is_priced = costs.prices(shape, 0) is not None
        lacking = [row.call for row, draft in zip(rows, drafts, strict=True) if not draft.tokens.size]
        waiting = {call for call in lacking if call.in_step}
        for each in refused:
            each.undrafted = why_refused(is_priced=is_priced, waits=each.row.call in waiting)
    return plans


def step(
    target: Target,
    rows: Rows[Row],
    budget: Budget,
    costs: Costs,
    clock: Clock = time.perf_counter,
) -> None:
    """Advance every row by one target pass, each by its own number of tokens."""
    is_prompt = any(row.reads_prompt and len(row.pending) > 1 for row in rows)
    plans = plan(rows, budget, target.shape(rows), costs, clock, takes_trees=target.takes_trees)
    start = clock()
    reading = target.read(plans)
    commit_settled(reading.settled)
    for choices in reading.choices:
        commit(choices)
    for tree in reading.trees:
        commit_tree(tree)
    kept = target.keep(rows)
    seconds = clock() - start
    if is_prompt:  # prompts are priced separately
        costs.record_prompt(reading.shape, seconds)
    else:
        costs.record(reading.shape, seconds, sum([len(row.committed) for row in rows]))
    share = share_of(seconds, len(rows))
    for row in rows:
        row.counters.verifying_seconds += share
    _follow(plans, kept)


def _follow(plans: Rows[Plan], kept: Rows[int]) -> None:
    """Bring all rows up to date with what was committed; kept: the tokens of each that the target holds."""
    committed = np.array([token for each in plans for token in each.row.committed], np.int32)
    errors, start = [], 0
    for each, num_cached in zip(plans, kept, strict=True):
        row, end = each.row, start + len(each.row.committed)
        try:
            row.follow(each.draft, committed[start:end], num_cached, each.undrafted)
        except Exception as error:  # a drafter's: the other rows still catch up
            errors += [] if row.keeps_error(error) else [error]
        start = end
    if errors:
        raise errors[0]


def _allotted(rows: Rows[Row], drafts: Rows[Draft], budget: Budget, shape: Shape, costs: Costs) -> list[int]:
    """Tokens to verify of each draft; rows in step get one length, by their joint survival."""
    remaining = [row.remaining for row in rows]
    in_step: dict[Together, list[int]] = {}
    for index, row in enumerate(rows):
        if row.call.in_step:
            in_step.setdefault(row.call, []).append(index)
    if not in_step:
        return budget.allot(drafts, remaining, shape, costs)
    offered = list(drafts)
    for indices in in_step.values():
        for index, draft in zip(indices, sure_of_all([drafts[index] for index in indices]), strict=True):
            offered[index] = draft
    lengths = budget.allot(offered, remaining, shape, costs)
    for indices in in_step.values():
        shortest = min(min(lengths[index], offered[index].tokens.size) for index in indices)
        for index in indices:
            lengths[index] = shortest
    return lengths
