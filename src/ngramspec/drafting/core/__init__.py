"""The hot part of drafting, behind one interface: compiled (`native/`), or in plain Python if that is not installed.

    index = SuffixIndex()                            # a text to copy from; rows may read it while it grows
    survival = Survival()                            # learnt from drafts, shared by all rows
    row = Row(survival, index, references, TokenBytes(vocabulary))
    row.begin(prompt, likely_start)                  # once
    row.extend(committed, likely)                    # after each pass: indexes, then learns
    drafts = propose_all(rows, max_tokens, min_survival)
    draft = row.propose(max_tokens, min_survival, steering)
    trees = propose_trees(rows, max_nodes, min_survival)
    tree = row.propose_tree(max_nodes, min_survival, steering)

Both cores make the same drafts, to the last bit (`tests/drafting/test_same.py`). Only tests, and benchmarks that turn
off parts of the plain core, import anything else of this package.
"""

from typing import TYPE_CHECKING

from ngramspec.drafting.core.choosing import chosen, is_compiled, warn_if_slow
from ngramspec.drafting.core.plain.features import LAYOUT
from ngramspec.drafting.core.plain.likely import NUM_LIKELY, packed
from ngramspec.drafting.core.plain.mixer import checked_mixing
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, Match
from ngramspec.drafting.core.plain.survival import checked_parameters

if TYPE_CHECKING:
    from ngramspec.drafting.core._native import Row, SuffixIndex, Survival, TokenBytes, propose_all, propose_trees
else:
    Row, SuffixIndex, Survival, TokenBytes = chosen.Row, chosen.SuffixIndex, chosen.Survival, chosen.TokenBytes
    propose_all, propose_trees = chosen.propose_all, chosen.propose_trees

__all__ = [
    "LAYOUT",
    "NUM_LIKELY",
    "SEPARATOR",
    "Match",
    "Row",
    "SuffixIndex",
    "Survival",
    "TokenBytes",
    "checked_mixing",
    "checked_parameters",
    "is_compiled",
    "packed",
    "propose_all",
    "propose_trees",
    "warn_if_slow",
]
