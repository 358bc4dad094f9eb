"""Stop strings in a text that comes piece by piece."""

from collections.abc import Sequence


class StopStrings:
    """Ends a text before the stop string that begins first.

    found: that one; None until there is one.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """stops: not empty, each of them."""
        self.found: str | None = None
        self._stops = stops
        self._held = ""

    def feed(self, piece: str) -> str:
        """The text that cannot be the beginning of a stop string any more."""
        if self.found is not None:
            return ""
        text = self._held + piece
        starts = {stop: text.find(stop) for stop in self._stops if stop in text}
        if starts:
            self.found = min(starts, key=starts.__getitem__)
            self._held = ""
            return text[: starts[self.found]]
        kept = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        """What was kept back: the text has ended, so it is no stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, and not all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if stop.startswith(text[-length:])), 0)
