"""The bitmasks along the drafts of rows, or why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards.types import WORD, BitmaskArray, is_set, num_words

if TYPE_CHECKING:
    from ngramspec.guards.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Filled:
    """The bitmasks along a row's draft.

    bits: `int32[K + 1, W]`, the first `num_legal + 1` of them filled, the others zero. error: why there are none.
    """

    bits: BitmaskArray
    num_legal: int
    error: GuardError | None = None

    def allows(self, position: int, token: int) -> bool:
        """Whether `token` may come at `position`; nothing may after an error."""
        return 0 <= token < self.bits.shape[1] * WORD and is_set(self.bits[position], token)

    def allows_all(self, tokens: Sequence[int]) -> bool:
        """Whether each of the first `tokens`, n <= K + 1, may come at its position."""
        if min(tokens) < 0 or max(tokens) >= self.bits.shape[1] * WORD:
            return False
        chosen = np.array(tokens)
        words = self.bits[np.arange(len(tokens)), chosen // WORD]
        return bool((words >> chosen % WORD & 1).all())


def fill(matcher: "Matcher", draft: Sequence[int]) -> Filled:
    """The bitmasks along `draft`."""
    bits = np.zeros((len(draft) + 1, num_words(len(matcher.vocabulary))), np.int32)
    try:
        return Filled(bits, matcher.fill(draft, bits))
    except GuardError as error:
        return Filled(bits, 0, error)
