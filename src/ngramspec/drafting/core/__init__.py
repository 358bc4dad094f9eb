"""All of drafting that is hot, behind one door: a compiled core would offer these names and no others.

    index = SuffixIndex()                            # a text to copy from; rows may read it while it grows
    survival = Survival()                            # what is learnt of drafts, shared by all rows
    row = Row(survival, index, references, vocabulary)
    row.begin(prompt, likely_start)                  # once
    row.extend(committed)                            # after each pass: learns, then indexes
    drafts = propose_all(rows, max_tokens, min_survival)
    draft = row.propose(max_tokens, min_survival, steering)

Nobody outside imports anything else of this package, but benchmarks that switch parts of it off, and tests.
"""

from collections.abc import Sequence

from ngramspec.drafting.core.features import LAYOUT
from ngramspec.drafting.core.row import Row
from ngramspec.drafting.core.spelling import checked_vocabulary
from ngramspec.drafting.core.suffix_index import SEPARATOR, Match, SuffixIndex
from ngramspec.drafting.core.survival import Survival, checked_lessons
from ngramspec.drafting.types import Draft

__all__ = [
    "LAYOUT",
    "SEPARATOR",
    "Match",
    "Row",
    "SuffixIndex",
    "Survival",
    "checked_lessons",
    "checked_vocabulary",
    "propose_all",
]


def propose_all(rows: Sequence[Row], max_tokens: Sequence[int], min_survival: float) -> list[Draft]:
    """Draft for all rows; max_tokens: of each row."""
    return [row.propose(most, min_survival) for row, most in zip(rows, max_tokens, strict=True)]
