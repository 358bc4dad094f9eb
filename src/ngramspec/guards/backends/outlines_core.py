"""outlines-core: an index from states to tokens, adopted from Outlines' own processors; never compiled here.

States are numbers, so a matcher is a stack of them, and rollback pops the stack.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ngramspec.guards.matcher import Matcher
from ngramspec.guards.types import BitmaskArray, set_bits
from ngramspec.guards.vocabulary import Vocabulary

if TYPE_CHECKING:
    from outlines_core import Index


def vocabulary_of(num_tokens: int) -> Vocabulary:
    """Tokens without bytes: an index does not know them."""
    return Vocabulary([b""] * num_tokens)


def may_drop(index: "Index") -> bool:
    """Whether a text of `index` may be complete and still continue.

    outlines-core 0.2.14 drops each token that leads from a complete text to an incomplete one. The loss cannot be
    detected, because an index knows neither its pattern nor the bytes of its tokens; but if nothing can follow a
    complete text, as in a JSON object, nothing is lost.
    """
    return any(len(index.get_allowed_tokens(state) or []) > 1 for state in index.get_final_states())


class Compiled:
    """An index of outlines-core, and the end of sequence that it was made with."""

    def __init__(self, index: "Index", vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.index = index

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, in its start state."""
        return OutlinesCoreMatcher(self, eos_tokens)


class OutlinesCoreMatcher(Matcher):
    """A matcher on an index of outlines-core."""

    def __init__(self, compiled: Compiled, eos_tokens: Iterable[int]) -> None:
        super().__init__(compiled.vocabulary, eos_tokens)
        self._index = compiled.index
        self._states = [compiled.index.get_initial_state()]

    def _mask(self, row: BitmaskArray) -> None:
        allowed = np.array(self._index.get_allowed_tokens(self._states[-1]) or [], np.int64)
        set_bits(row, allowed[allowed < len(self.vocabulary)], allowed=True)

    def _push(self, token: int) -> bool:
        state = self._index.get_next_state(self._states[-1], token)
        if state is None:
            return False
        self._states.append(state)
        return True

    def _push_bytes(self, text: bytes) -> int:
        for num_pushed, byte in enumerate(text):
            if not self._push(self.vocabulary.byte_tokens[byte]):
                return num_pushed
        return len(text)

    def _pop(self, num_steps: int) -> None:
        del self._states[-num_steps:]

    def _accepting(self) -> bool:
        return bool(self._index.is_final_state(self._states[-1]))

    def _forced(self) -> bytes:
        """The common prefix of the allowed tokens, if they are few: the next token begins with it."""
        allowed = self._index.get_allowed_tokens(self._states[-1]) or []
        if not 0 < len(allowed) <= 64:
            return b""
        texts = [self.vocabulary.tokens[token] for token in allowed]
        return _common_head(min(texts), max(texts))

    def _restart(self) -> None:
        del self._states[1:]


def _common_head(first: bytes, second: bytes) -> bytes:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return first[:length]
