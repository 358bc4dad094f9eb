"""Checks of the texts that a user lets rows copy from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ngramspec.drafting.core import SEPARATOR
from ngramspec.drafting.types import TokenArray
from ngramspec.errors import shortened


def checked_references(references: Sequence[Any]) -> list[TokenArray]:
    """The references, each as `int32[n]`; a text may be empty.

    Raises TypeError unless it is a list of token id texts, ValueError for ids that no tokenizer has.
    """
    if not isinstance(references, list | tuple):
        raise _not_a_list(references)
    return [_checked(reference) for reference in references]


def _checked(reference: Any) -> TokenArray:
    tokens = np.asarray(reference)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise _not_a_list(reference)
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < SEPARATOR:
        wrong = tokens[(tokens < 0) | (tokens >= SEPARATOR)][0]
        raise ValueError(f"token ids must be >= 0 and < {SEPARATOR}, got {wrong} in a reference: tokenise it again")
    return tokens.astype(np.int32)


def _not_a_list(got: Any) -> TypeError:
    return TypeError(
        f"references must be a list of texts, each of them token ids int32[n], got {shortened(got)}:"
        " put a single text into a list"
    )
