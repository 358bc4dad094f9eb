"""The decode loop, knowing no framework: rows, plans, one step, and the budget of draft tokens."""

from ngramspec.decoding.budget import Budget, FixedBudget
from ngramspec.decoding.sequence import Sequence, Verdict, num_agreeing
from ngramspec.decoding.step import Plan, Target, plan, step

__all__ = ["Budget", "FixedBudget", "Plan", "Sequence", "Target", "Verdict", "num_agreeing", "plan", "step"]
