"""The hot part of drafting in plain Python: the reference for the compiled core, and the fallback if there is none.

Both have the names below, and make the same drafts, to the last bit.
"""

from collections.abc import Sequence

from ngramspec.drafting.core.plain.row import Row
from ngramspec.drafting.core.plain.spelling import TokenBytes
from ngramspec.drafting.core.plain.suffix_index import SuffixIndex
from ngramspec.drafting.core.plain.survival import Survival
from ngramspec.drafting.types import Draft, Tree

__all__ = ["Row", "SuffixIndex", "Survival", "TokenBytes", "propose_all", "propose_trees"]


def propose_all(rows: Sequence[Row], max_tokens: Sequence[int], min_survival: float) -> list[Draft]:
    """Draft for all rows, each listed once; max_tokens: per row."""
    return [row.propose(most, min_survival) for row, most in zip(rows, max_tokens, strict=True)]


def propose_trees(rows: Sequence[Row], max_nodes: Sequence[int], min_survival: float) -> list[Tree]:
    """Draft trees for all rows, each listed once; max_nodes: per row."""
    return [row.propose_tree(most, min_survival) for row, most in zip(rows, max_nodes, strict=True)]
