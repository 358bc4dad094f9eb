"""Warnings that are given once per reason, however many calls have it."""

import warnings

from ngramspec import forking
from ngramspec.errors import NgramspecWarning

MOST_REASONS = 256
"""Most reasons that are kept. There are few, unless a reason contains something that changes with each call."""


class WarningOnce:
    """Warns once per reason; safe to share between threads."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._lock = forking.lock()

    def warn(self, reason: str, message: str, stacklevel: int) -> None:
        """Give an NgramspecWarning, unless one was given for `reason`.

        stacklevel: as of `warnings.warn`, counted from the caller: 1 is the line that calls this.
        """
        with self._lock:
            is_new = reason not in self._reasons and len(self._reasons) < MOST_REASONS
            if is_new:
                self._reasons.add(reason)
        if is_new:
            warnings.warn(message, NgramspecWarning, stacklevel=stacklevel + 1)
