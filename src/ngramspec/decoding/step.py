"""The loop: plan, verify, commit. It knows no framework; a target may be a model or a recording."""

import time
from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.sequence import Sequence, Verdict
from ngramspec.decoding.undrafted import why_undrafted
from ngramspec.drafting.types import Draft
from ngramspec.stats import Undrafted

Clock = Callable[[], float]
"""Seconds that only go on, such as `time.perf_counter`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One row's share of a pass: read `sequence.pending`, then check `draft`.

    undrafted: why the draft is empty; says nothing where it is not.
    """

    sequence: Sequence
    draft: Draft
    undrafted: Undrafted = Undrafted.NO_MATCH


class Target(Protocol):
    """Checks drafts. Greedy or sampling, it chooses a token at each position until its choice leaves the draft."""

    def shape(self, sequences: Rows[Sequence]) -> Shape:
        """What makes the next pass over these rows dear, before anything is drafted."""

    def verify(self, plans: Rows[Plan]) -> list[Verdict]:
        """Read and check all rows in one pass; returns one verdict per plan, in order."""


def plan(
    sequences: Rows[Sequence],
    budget: Budget,
    shape: Shape,
    costs: Costs,
    clock: Clock = time.perf_counter,
) -> list[Plan]:
    """Draft for every row, each within its allotment; shape: the pass without drafts."""
    least = budget.min_survival(shape, costs)
    start = clock()
    drafts = [sequence.propose(budget.max_draft_tokens, least) for sequence in sequences]
    costs.record_drafting(clock() - start, sum(draft.tokens.size for draft in drafts))
    lengths = budget.allot(drafts, [sequence.remaining for sequence in sequences], shape, costs)
    plans = []
    for sequence, draft, length in zip(sequences, drafts, lengths, strict=True):
        if length and draft.tokens.size:
            plans.append(Plan(sequence, draft.head(length)))
        else:
            reason = why_undrafted(sequence, draft, drafts, budget, shape, costs)
            plans.append(Plan(sequence, draft.head(0), reason))
    return plans


def step(
    target: Target,
    sequences: Rows[Sequence],
    budget: Budget,
    costs: Costs,
    clock: Clock = time.perf_counter,
) -> None:
    """Advance every row by one target pass, each by its own number of tokens.

    An n-gram draft is a point mass, so rejection sampling (Leviathan et al. 2023) collapses to one rule: the target
    chooses, and its choices count for as long as they equal the draft. No draft probabilities are needed.
    """
    shape = target.shape(sequences)
    plans = plan(sequences, budget, shape, costs, clock)
    start = clock()
    verdicts = target.verify(plans)
    seconds = clock() - start
    if all(sequence.pending.size == 1 for sequence in sequences):  # to read a prompt is another matter
        costs.record(_drafted(shape, plans), seconds, sum(verdict.tokens.size for verdict in verdicts))
    else:
        costs.record_prompt(_drafted(shape, plans), seconds)
    for row, verdict in zip(plans, verdicts, strict=True):
        row.sequence.commit(row.draft, verdict, row.undrafted)


def _drafted(shape: Shape, plans: Rows[Plan]) -> Shape:
    sizes = [row.draft.tokens.size for row in plans]
    return shape._replace(columns=shape.columns + max(sizes), tokens=shape.tokens + sum(sizes))
