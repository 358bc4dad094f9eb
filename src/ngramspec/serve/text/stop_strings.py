"""Finds stop strings in a text that comes piece by piece."""

from collections.abc import Sequence


class StopStrings:
    """Ends a text before the stop string that is complete first; among several, before the one that begins first.

    found: that stop string; None until there is one.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """stops: each must not be empty."""
        self.found: str | None = None
        self._readers = [_Reader(stop) for stop in stops]
        self._held = ""

    def feed(self, piece: str) -> str:
        """The text that can no longer be part of a stop string."""
        if self.found is not None:
            return ""
        text = self._held + piece
        for end, character in enumerate(piece, len(self._held) + 1):
            complete = [reader.stop for reader in self._readers if reader.read(character)]
            if complete:
                self.found, self._held = max(complete, key=len), ""
                return text[: end - len(self.found)]
        kept = max((reader.num_matched for reader in self._readers), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        """The text that was held back: the text has ended, so it is not a stop string."""
        held, self._held = self._held, ""
        return held


class _Reader:
    """Searches a text for one string, in amortised constant time per character (Knuth, Morris and Pratt 1977).

    num_matched: length of the longest suffix of the text that is a prefix of the string.
    """

    def __init__(self, stop: str) -> None:
        self.stop, self.num_matched = stop, 0
        self._shorter = [0]  # for each prefix, the length of the next shorter prefix that it ends with
        matched = 0
        for character in stop[1:]:
            matched = self._longer(matched, character)
            self._shorter.append(matched)

    def read(self, character: str) -> bool:
        """Whether `character` completes the string."""
        matched = self.num_matched
        self.num_matched = self._longer(self._shorter[-1] if matched == len(self.stop) else matched, character)
        return self.num_matched == len(self.stop)

    def _longer(self, matched: int, character: str) -> int:
        while matched and self.stop[matched] != character:
            matched = self._shorter[matched - 1]
        return matched + (self.stop[matched] == character)
