"""transformers: models as targets, and what users call.

Wings, from the lowest to the highest; one imports those below it and no others. `tests/test_architecture.py` holds it.

    facts     what is known of a model before it decodes
    choice    how a token is chosen from scores, and when a text ends
    rows      a call and its rows, and how tokens are read off a pass
    target    forward passes: the cache, blocks, rows apart (ragged) and in line (aligned)
    trials    models with untried parts
    entry     Speculator, enable(), and what becomes of their arguments
    engine    ModelEngine: requests that come and go

Below all wings: `seam.py`, which has everything that is taken from transformers, and `types.py`.
"""

from ngramspec.hf.entry.enable import disable, enable
from ngramspec.hf.entry.speculator import Speculator

__all__ = ["Speculator", "disable", "enable"]
