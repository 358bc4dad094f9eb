"""The decode loop, independent of any framework: rows, plans, one step, the draft budget and the cost of passes."""

from ngramspec.decoding.budget import AdaptiveBudget, Budget, FixedBudget
from ngramspec.decoding.commit import Choices, Settled, TreeChoices, commit, commit_settled, commit_tree
from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.engine import Engine
from ngramspec.decoding.fits import FITS
from ngramspec.decoding.linear_costs import LinearCosts, fitted
from ngramspec.decoding.machine_prices import DraftingPrices, HostPrices, PassPrices
from ngramspec.decoding.measured_costs import MeasuredCosts
from ngramspec.decoding.padded_costs import PaddedCosts
from ngramspec.decoding.row import Row, Together, common_length
from ngramspec.decoding.step import Clock, Plan, Reading, Target, plan, step

__all__ = [
    "FITS",
    "AdaptiveBudget",
    "Budget",
    "Choices",
    "Clock",
    "Costs",
    "DraftingPrices",
    "Engine",
    "FixedBudget",
    "HostPrices",
    "LinearCosts",
    "MeasuredCosts",
    "PaddedCosts",
    "PassPrices",
    "Plan",
    "Reading",
    "Row",
    "Settled",
    "Shape",
    "Target",
    "Together",
    "TreeChoices",
    "commit",
    "commit_settled",
    "commit_tree",
    "common_length",
    "fitted",
    "plan",
    "step",
]
