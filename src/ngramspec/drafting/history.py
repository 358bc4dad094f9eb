"""The text that a segment's rows are drafted from besides their own: its references, and earlier rows' answers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.core import SEPARATOR, SuffixIndex
from ngramspec.drafting.sketch import Sketches
from ngramspec.drafting.types import NO_DRAFT, TokenArray


class History:
    """One text: first the references, which stay, then the answers in the order in which their rows ended.

    index: over that text; a SEPARATOR precedes each reference and each answer. When an answer is dropped or the
        references change, a new index replaces it; rows in progress keep the one that they began with.
    num_reference_tokens: tokens of the references, separators included.

    A history may be used by one thread at a time, but others may read its index meanwhile.
    """

    def __init__(self, max_tokens: int) -> None:
        """Begin empty. max_tokens: bound on the answers, sketches included; references come on top."""
        self.index = SuffixIndex()
        self.sketches = Sketches()
        self.num_reference_tokens = 0
        self._max_tokens = max_tokens

    @property
    def size(self) -> int:
        """Tokens that are kept. An n-gram of a sketch counts as a token, because it takes about as much memory."""
        return len(self.index) + len(self.sketches)

    @property
    def num_tokens(self) -> int:
        """Tokens of the references and the answers only."""
        return int((self.index.text != SEPARATOR).sum())

    def add(self, grams: Sequence[int], answer: TokenArray) -> None:
        """Keep `answer` `int32[n]`, or its end if it is long. grams: sketch of its prompt; the prompt is not kept."""
        room = (self._max_tokens - len(grams) - 1) // 2
        if not answer.size or room <= 0:
            return
        answer = answer[-room:]
        self._make_room(answer.size + 1 + len(grams))
        self.sketches.add(grams, len(self.index) + 1)
        self.index.extend(_after_separators([answer]))

    def refer(self, references: Sequence[TokenArray]) -> None:
        """Replace the references by `references`, each `int32[n]`."""
        text = _after_separators(references)
        if not np.array_equal(text, self.index.read(0, self.num_reference_tokens)):
            self._rebuild(text, self.num_reference_tokens)

    def restore(
        self,
        text: TokenArray,
        num_reference_tokens: int,
        grams: npt.NDArray[np.uint64],
        positions: npt.NDArray[np.int32],
    ) -> None:
        """Restore a saved text, without its oldest answers if it is too long. The sketch: see `Sketches.arrays`."""
        start = num_reference_tokens
        while text.size > start and text.size - start + grams.size > self._max_tokens:  # before it is indexed
            newer = _newer_half(text, start)
            is_kept = positions[:, 0] >= newer
            grams, positions = grams[is_kept], positions[is_kept] - np.array([newer - start, 0], np.int32)
            text = np.concatenate((text[:start], text[newer:]))
        self.index = SuffixIndex()
        self.index.extend(text)
        self.sketches, self.num_reference_tokens = Sketches.of_arrays(grams, positions), start

    def forget_older_half(self) -> bool:
        """Drop the older half of the answers; returns whether there was anything to drop."""
        text, start = self.index.text, self.num_reference_tokens
        if text.size == start:
            return False
        self._rebuild(text[:start], _newer_half(text, start))
        return True

    def _make_room(self, size: int) -> None:
        while self.size - self.num_reference_tokens + size > self._max_tokens and self.forget_older_half():
            pass

    def _rebuild(self, references: TokenArray, start: int) -> None:
        """Build a new index over `references` and the text from `start` on."""
        index = SuffixIndex()
        index.extend(np.concatenate((references, self.index.read(start, len(self.index)))))
        self.sketches.move(start, references.size - start)
        self.index, self.num_reference_tokens = index, references.size


def _newer_half(text: TokenArray, start: int) -> int:
    """Start of the newer half of the answers, which are `text[start:]`; no answer is cut."""
    middle = (start + text.size + 1) // 2
    begins = np.flatnonzero(text[middle:] == SEPARATOR)
    return middle + int(begins[0]) if begins.size else text.size


def _after_separators(texts: Sequence[TokenArray]) -> TokenArray:
    separator = np.array([SEPARATOR], np.int32)
    return np.concatenate([NO_DRAFT, *(part for text in texts for part in (separator, text))])
