"""The histories of all segments: separate from each other, and bounded together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ngramspec import forking
from ngramspec.drafting.core import SuffixIndex
from ngramspec.drafting.history import History
from ngramspec.drafting.sketch import Sketches
from ngramspec.drafting.types import TokenArray
from ngramspec.errors import HistoryError

_SHARE = 4
"""A segment's answers take at most 1 / this of all tokens, or a busy segment would displace all others."""


@dataclass(eq=False, slots=True)
class Segment:
    """Traffic that shares a history. name: None if nothing is kept."""

    name: str | None
    history: History


class Segments:
    """Histories by name, the least recently used first; safe to share between threads.

    When there are too many tokens, the least recently used segment drops the older half of its answers, again and
    again until it has none; then the next one does. When there are too many segments, the least recently used one is
    dropped. References are not dropped, so their number is bounded.

    unnamed: the segment of rows without a name.
    """

    def __init__(self, max_tokens: int, max_segments: int) -> None:
        """Begin without any segment."""
        for name, value in (("max_tokens", max_tokens), ("max_segments", max_segments)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"{name} must be a whole number >= 1, got {value!r}: rows without a segment keep no history"
                )
        self.unnamed = Segment(None, History(0))
        self._max_tokens, self._max_segments = max_tokens, max_segments
        self._kept: dict[str, Segment] = {}
        self._lock = forking.lock()

    def open(self, name: str | None) -> Segment:
        """The segment `name`, which becomes the most recently used one."""
        if name is None:
            return self.unnamed
        with self._lock:
            return self._use(name)

    def similar(self, segment: Segment, index: SuffixIndex, grams: Sequence[int]) -> int:
        """Position in `index` at which the answer to the most similar prompt begins.

        index: the segment's when the row was opened. grams: the sketch of the row's prompt. Returns -1 if no prompt is
        similar, or the index was replaced.
        """
        with self._lock:
            return segment.history.sketches.most_similar(grams) if segment.history.index is index else -1

    def keep(self, segment: Segment, grams: Sequence[int], answer: TokenArray) -> None:
        """Keep the answer `int32[n]` to a prompt with sketch `grams`, unless the segment was dropped meanwhile."""
        with self._lock:
            if segment.name is None or self._kept.get(segment.name) is not segment:
                return
            self._use(segment.name).history.add(grams, answer)
            self._make_room()

    def refer(self, name: str, references: Sequence[TokenArray]) -> None:
        """Let the rows of a segment copy from `references`, each `int32[n]`; they replace the earlier ones."""
        with self._lock:
            self._check_references(name, sum(reference.size + 1 for reference in references))
            self._use(name).history.refer(references)
            self._make_room()

    def forget(self, name: str) -> None:
        """Drop a segment; rows in progress still copy from it, but their answers are not kept."""
        with self._lock:
            if name in self._kept:
                self._drop(name)

    def num_tokens(self) -> dict[str, int]:
        """Tokens of references and answers, by segment."""
        with self._lock:
            return {name: segment.history.num_tokens for name, segment in self._kept.items()}

    def snapshot(self) -> list[tuple[Segment, TokenArray, int, Sketches]]:
        """A copy of each segment: its text, its number of reference tokens, and its sketches."""
        with self._lock:
            return [
                (segment, history.index.text, history.num_reference_tokens, history.sketches.copy())
                for segment in self._kept.values()
                for history in [segment.history]
            ]

    def restore(
        self,
        name: str,
        text: TokenArray,
        num_reference_tokens: int,
        grams: npt.NDArray[np.uint64],
        positions: npt.NDArray[np.int32],
    ) -> Segment:
        """Restore a segment from `snapshot`, as far as the bounds allow; the sketch: see `Sketches.arrays`."""
        with self._lock:
            self._check_references(name, num_reference_tokens)
            segment = self._use(name)
            segment.history.restore(text, num_reference_tokens, grams, positions)
            self._make_room()
            return segment

    def _use(self, name: str) -> Segment:
        segment = self._kept.pop(name, None)
        if segment is None:
            segment = self._new(name)
        self._kept[name] = segment
        return segment

    def _new(self, name: str) -> Segment:
        if len(self._kept) == self._max_segments:
            self._drop(next(name for name, kept in self._kept.items() if not kept.history.num_reference_tokens))
        return Segment(name, History(self._max_tokens // _SHARE))

    def _drop(self, name: str) -> None:
        del self._kept[name]

    def _make_room(self) -> None:
        excess = sum(segment.history.size for segment in self._kept.values()) - self._max_tokens
        for segment in self._kept.values():
            history = segment.history
            while excess > 0:
                size = history.size
                if not history.forget_older_half():
                    break
                excess -= size - history.size

    def _check_references(self, name: str, size: int) -> None:
        sizes = {kept: segment.history.num_reference_tokens for kept, segment in self._kept.items()}
        sizes[name] = size
        total, limit = sum(sizes.values()), self._max_tokens // 2
        if size and total > limit:
            raise HistoryError(
                f"references of all segments must take at most half of max_tokens={self._max_tokens}, {limit} tokens,"
                f" got {total}: forget segments, or make the AdaptiveLookup with a larger max_tokens"
            )
        number = sum(map(bool, sizes.values()))
        if size and number >= self._max_segments:
            raise HistoryError(
                f"fewer than max_segments={self._max_segments} segments may have references, got {number}:"
                " forget segments, or make the AdaptiveLookup with a larger max_segments"
            )
