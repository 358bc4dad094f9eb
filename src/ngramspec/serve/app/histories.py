"""Histories that outlive the service: loaded when it starts, saved now and then, and at its end."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

from ngramspec.drafting import AdaptiveLookup

logger = logging.getLogger(__name__)

SECONDS = 60.0
"""From one saving to the next: so much is lost where the process is killed."""


class Histories:
    """The file of a service's histories, and the drafter that has them.

    A process that is killed leaves the file of its last saving, whole.
    """

    def __init__(self, path: Path, tokenizer: Any, vocabulary: Sequence[bytes] | None = None) -> None:
        """vocabulary: see `AdaptiveLookup`.

        Raises HistoryError for a file of another tokenizer, or a damaged one; OSError for one that is unreadable.
        """
        self._path, self._fingerprint = path, _fingerprint(tokenizer)
        if path.exists():
            self.drafter = AdaptiveLookup.load(path, self._fingerprint, vocabulary=vocabulary)
        else:
            self.drafter = AdaptiveLookup(vocabulary=vocabulary)
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="ngramspec-histories", daemon=True)
        self.save()  # a file that cannot be written is told of now

    def start(self) -> None:
        """Save from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time."""
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
            except OSError:  # a full disk, for instance: the answers go on
                logger.exception("histories could not be saved, so the earlier file stays")


def _fingerprint(tokenizer: Any) -> str:
    """Of what the ids mean."""
    return hashlib.sha256(repr(sorted(tokenizer.get_vocab().items())).encode("utf-8", "surrogatepass")).hexdigest()
