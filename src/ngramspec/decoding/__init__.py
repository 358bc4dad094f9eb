"""The decode loop, knowing no framework: rows, plans, one step, the budget of draft tokens and what passes cost."""

from ngramspec.decoding.budget import AdaptiveBudget, Budget, FixedBudget
from ngramspec.decoding.costs import FITS, Costs, LinearCosts, MeasuredCosts, Shape, fitted
from ngramspec.decoding.sequence import Sequence, Verdict, num_agreeing
from ngramspec.decoding.step import Plan, Target, plan, step

__all__ = [
    "FITS",
    "AdaptiveBudget",
    "Budget",
    "Costs",
    "FixedBudget",
    "LinearCosts",
    "MeasuredCosts",
    "Plan",
    "Sequence",
    "Shape",
    "Target",
    "Verdict",
    "fitted",
    "num_agreeing",
    "plan",
    "step",
]
