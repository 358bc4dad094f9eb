"""transformers integration: models as targets, and the public entry points.

Wings, from the lowest to the highest. Each imports only those below it; `tests/test_architecture.py` enforces that.

    facts     what is known about a model before it decodes
    choice    how a token is chosen from scores, and when a text ends
    rows      a call and its rows, and how tokens are chosen from a pass
    target    forward passes: the cache, blocks, rows apart (ragged) and aligned rows
    trials    models with untried parts
    entry     Speculator, enable(), and the handling of their arguments
    engine    ModelEngine: requests that come and go

Below all wings: `seam.py`, the only module that uses transformers' own names, and `types.py`.
"""

from ngramspec.hf.entry.enable import disable, enable
from ngramspec.hf.entry.speculator import Speculator

__all__ = ["Speculator", "disable", "enable"]
