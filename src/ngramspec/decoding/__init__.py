"""The decode loop, knowing no framework: rows, plans, one step, the budget of draft tokens and what passes cost."""

from ngramspec.decoding.budget import AdaptiveBudget, Budget, FixedBudget, InStepBudget, PromptBudget
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.linear_costs import FITS, LinearCosts, fitted
from ngramspec.decoding.measured_costs import MeasuredCosts
from ngramspec.decoding.sequence import Sequence, Verdict, num_agreeing
from ngramspec.decoding.step import Clock, Plan, Target, plan, step

__all__ = [
    "FITS",
    "AdaptiveBudget",
    "Budget",
    "Clock",
    "Costs",
    "FixedBudget",
    "InStepBudget",
    "LinearCosts",
    "MeasuredCosts",
    "Plan",
    "PromptBudget",
    "Sequence",
    "Shape",
    "Target",
    "Verdict",
    "fitted",
    "num_agreeing",
    "plan",
    "step",
]
