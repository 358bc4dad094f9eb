"""How often prompts wait for each other."""

LONG = 3
"""Prompts that wait beside the one that is read. Fewer may be gone before a row that is sooner done has made room."""

MEMORY = 256
"""Passes over which it is averaged: a token that is accepted now ends its row much later, beside other prompts."""


class PromptQueue:
    """The share of recent passes beside which prompts waited for each other. share: from 0.0 to 1.0."""

    def __init__(self) -> None:
        """Nothing has waited."""
        self.share = 0.0
        self._num_passes = 0

    def record(self, num_waiting: int) -> None:
        """Another pass. num_waiting: prompts that waited for no other reason than that another one was read."""
        self._num_passes = min(self._num_passes + 1, MEMORY)
        self.share += ((num_waiting >= LONG) - self.share) / self._num_passes
