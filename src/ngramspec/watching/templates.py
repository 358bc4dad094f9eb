"""Templates of prompts, and which one most prompts of a segment have, in bounded memory."""

from collections.abc import Sequence

HEAD = 32
"""Tokens of a prompt that tell its template."""

MOST = 8
"""Most templates that are counted at a time."""


def template_of(prompt: Sequence[int]) -> int:
    """A number for the template of a prompt: the same where the first HEAD tokens are, such as a system prompt."""
    return hash(tuple(prompt[:HEAD]))


class UsualTemplate:
    """The most frequent template, by the summary of Misra and Gries (1982).

    A template of more than 1 / (MOST + 1) of the prompts is never missing.
    """

    def __init__(self) -> None:
        """No prompt so far."""
        self._counts: dict[int, int] = {}

    def take(self, template: int) -> bool:
        """Count the template of a prompt; returns whether it was the usual one before. The first one was."""
        counts = self._counts
        usual = max(counts, key=counts.__getitem__, default=template)
        if template in counts or len(counts) < MOST:
            counts[template] = counts.get(template, 0) + 1
        else:
            self._counts = {other: count - 1 for other, count in counts.items() if count > 1}
        return template == usual
