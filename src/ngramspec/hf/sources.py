"""What a call says of where its drafts come from: the segments of its rows, and texts to copy from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ngramspec.drafting.types import TokenArray


def segments_of(segment: Any, num_rows: int, num_returned: int) -> list[str | None]:
    """The segment of each row: one name or None for all, or a list with one for each prompt.

    Raises TypeError for what is neither.
    """
    if segment is None or isinstance(segment, str):
        return [segment] * num_rows
    names = list(segment) if isinstance(segment, list | tuple) else []
    if len(names) * num_returned != num_rows or not all(name is None or isinstance(name, str) for name in names):
        raise TypeError(
            f"segment must be a name for the whole call, or a list of one for each of {num_rows // num_returned}"
            f" prompts, got {segment!r}"
        )
    return [name for name in names for _ in range(num_returned)]


def references_of(references: Sequence[Any] | None) -> list[TokenArray]:
    """Texts `int32[n]` that every row of a call may copy from; raises TypeError for what is no list of token ids."""
    if references is None:
        return []
    found = []
    for reference in references if isinstance(references, list | tuple) else [None]:
        ids = None if reference is None else np.asarray(reference)
        if ids is None or ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids.size and ids.min() < 0):
            raise TypeError(f"references must be a list of texts, each a list of token ids, got {references!r:.200}")
        found.append(ids.astype(np.int32))
    return found
