"""The loop: plan, verify, commit. It knows no framework; a target may be a model or a recording."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.sequence import Sequence, Verdict
from ngramspec.drafting.types import Draft


@dataclass(frozen=True, slots=True)
class Plan:
    """One row's share of a pass: read `sequence.pending`, then check `draft`."""

    sequence: Sequence
    draft: Draft


class Target(Protocol):
    """Checks drafts. Greedy or sampling, it chooses a token at each position until its choice leaves the draft."""

    def verify(self, plans: Rows[Plan]) -> list[Verdict]:
        """Read and check all rows in one pass; returns one verdict per plan, in order."""


def plan(sequences: Rows[Sequence], budget: Budget) -> list[Plan]:
    """Draft for every row, each within its allotment."""
    allotted = budget.allot(sequences)
    return [
        Plan(sequence, budget.cut(sequence.propose(length, budget.min_survival)))
        for sequence, length in zip(sequences, allotted, strict=True)
    ]


def step(target: Target, sequences: Rows[Sequence], budget: Budget) -> None:
    """Advance every row by one target pass, each by its own number of tokens.

    An n-gram draft is a point mass, so rejection sampling (Leviathan et al. 2023) collapses to one rule: the target
    chooses, and its choices count for as long as they equal the draft. No draft probabilities are needed.
    """
    plans = plan(sequences, budget)
    verdicts = target.verify(plans)
    for row, verdict in zip(plans, verdicts, strict=True):
        row.sequence.commit(row.draft, verdict)
        budget.record(verdict.tokens.size, row.draft.tokens.size)
