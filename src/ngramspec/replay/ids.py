"""Token ids of untrusted rows."""

import numpy as np

from ngramspec.drafting.types import TokenArray
from ngramspec.errors import TraceError, shortened

MAX_ID = np.iinfo(np.int32).max


def parse_ids(ids: object, key: str, where: str) -> TokenArray:
    """The list `ids` of the row at `where` as `int32[n]`; raises TraceError, which names `key`, for anything else."""
    if not isinstance(ids, list):
        raise TraceError(f"{where}: {key} must be a list of token ids, got {shortened(ids)}; write [1, 2, 3]")
    for position, token in enumerate(ids):
        # bool is an int in Python, but true is not a token.
        if type(token) is not int or not 0 <= token <= MAX_ID:
            raise TraceError(
                f"{where}: {key}[{position}] must be a whole number from 0 to {MAX_ID}, got {shortened(token)};"
                " record the ids as the tokenizer returns them"
            )
    return np.array(ids, np.int32)
