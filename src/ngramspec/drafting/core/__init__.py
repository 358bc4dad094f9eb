"""All of drafting that is hot, behind one door: compiled (`native/`), or in plain Python where that is not installed.

    index = SuffixIndex()                            # a text to copy from; rows may read it while it grows
    survival = Survival()                            # what is learnt of drafts, shared by all rows
    row = Row(survival, index, references, TokenBytes(vocabulary))
    row.begin(prompt, likely_start)                  # once
    row.extend(committed)                            # after each pass: indexes, then learns
    drafts = propose_all(rows, max_tokens, min_survival)
    draft = row.propose(max_tokens, min_survival, steering)
    draft = propose_tree(row, max_nodes, min_survival)  # the compiled core drafts chains only

Both cores make the same drafts, to the last bit (`tests/drafting/test_same.py`). Nobody outside imports anything else
of this package, but benchmarks that switch parts of the plain core off, and tests.
"""

from typing import TYPE_CHECKING, Any

from ngramspec.drafting.core.choosing import chosen, is_compiled, warn_if_slow
from ngramspec.drafting.core.plain.features import LAYOUT
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, Match
from ngramspec.drafting.core.plain.survival import checked_lessons
from ngramspec.drafting.types import Draft

if TYPE_CHECKING:
    from ngramspec.drafting.core._native import Row, SuffixIndex, Survival, TokenBytes, propose_all
else:
    Row, SuffixIndex, Survival, TokenBytes = chosen.Row, chosen.SuffixIndex, chosen.Survival, chosen.TokenBytes
    propose_all = chosen.propose_all

__all__ = [
    "LAYOUT",
    "SEPARATOR",
    "Match",
    "Row",
    "SuffixIndex",
    "Survival",
    "TokenBytes",
    "checked_lessons",
    "is_compiled",
    "propose_all",
    "propose_tree",
    "warn_if_slow",
]


def propose_tree(row: Any, max_nodes: int, min_survival: float) -> Draft:
    """A tree for `row`, or a chain where the core drafts no trees."""
    draft: Draft = getattr(row, "propose_tree", row.propose)(max_nodes, min_survival)
    return draft
