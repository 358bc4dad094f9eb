"""Histories that outlive the service: loaded at its start, saved periodically and at its end."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

from ngramspec.drafting import AdaptiveLookup

logger = logging.getLogger(__name__)

SECONDS = 60.0
"""Time between two saves: a process that is killed loses at most this much."""


class Histories:
    """The file of a service's histories, and the drafter that uses them.

    A process that is killed leaves the complete file of its last save.
    """

    def __init__(self, path: Path, tokenizer: Any, vocabulary: Sequence[bytes] | None = None) -> None:
        """vocabulary: see `AdaptiveLookup`.

        Raises HistoryError for a damaged file or one of another tokenizer; OSError for one that cannot be read.
        """
        self._path, self._fingerprint = path, _fingerprint(tokenizer)
        if path.exists():
            self.drafter = AdaptiveLookup.load(path, self._fingerprint, vocabulary=vocabulary)
        else:
            self.drafter = AdaptiveLookup(vocabulary=vocabulary)
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="ngramspec-histories", daemon=True)
        self.save()  # a file that cannot be written is reported now

    def start(self) -> None:
        """Start to save periodically."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and save a last time."""
        self._is_over.set()
        self._thread.join()

    def save(self) -> None:
        """Save; raises OSError."""
        self.drafter.save(self._path, self._fingerprint)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._is_over.wait(SECONDS)
            try:
                self.save()
            except OSError:  # such as a full disk: the service goes on
                logger.exception("histories could not be saved, so the earlier file stays")


def _fingerprint(tokenizer: Any) -> str:
    """Fingerprint of what the token ids mean."""
    return hashlib.sha256(repr(sorted(tokenizer.get_vocab().items())).encode("utf-8", "surrogatepass")).hexdigest()
