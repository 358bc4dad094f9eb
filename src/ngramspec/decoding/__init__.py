"""The decode loop, knowing no framework: rows, plans, one step, and the budget of draft tokens."""

from ngramspec.decoding.budget import Budget, CostBudget, FixedBudget
from ngramspec.decoding.costs import COSTS, modelled_speedup
from ngramspec.decoding.sequence import Sequence, Verdict, num_agreeing
from ngramspec.decoding.step import Plan, Target, plan, step

__all__ = [
    "COSTS",
    "Budget",
    "CostBudget",
    "FixedBudget",
    "Plan",
    "Sequence",
    "Target",
    "Verdict",
    "modelled_speedup",
    "num_agreeing",
    "plan",
    "step",
]
