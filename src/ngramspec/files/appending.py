"""Files that grow by whole lines: what is in them stays, whenever the writer is killed or the disk is full.

A killed writer may leave the beginning of its last line. The next writer takes it away, if it is its own kind of line.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from ngramspec.files.writing import is_locked, private, replaceable
from ngramspec.printing import named

MOST_OF_LINE = 1 << 24
"""Bytes of a last line without an end that is taken away."""


class Appended:
    """A file that grows by lines, for one process at a time; a new one is readable by its owner only."""

    def __init__(self, path: Path, first: bytes) -> None:
        """first: the bytes with which each line begins; b"" where the file must be new or empty.

        Raises OSError if the system refuses, for what `writing.replace` never replaces, for a file that another process
        appends to, and for one that ends within a line that does not begin with `first`.
        """
        target = replaceable(path)
        self._path, self._is_kept = path, target is not None
        self._file = open(target or os.devnull, "a+b", buffering=0, opener=private)  # noqa: SIM115 (see `close`)
        try:
            if self._is_kept and not is_locked(self._file):
                raise self._refused("must have one writer at a time, got one that another process writes")
            self._take_away_unfinished(first)
        except BaseException:
            self._file.close()
            raise

    def append(self, line: bytes) -> None:
        """Write `line`, which is in the file for good then, or not at all: an error or interrupt cuts it off again.

        Raises OSError if the system refuses.
        """
        size = os.fstat(self._file.fileno()).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException as error:
            with suppress(OSError):  # the null device has no size
                self._file.truncate(size)
            if isinstance(error, OSError):
                said = f"{error.strerror or error}; the lines before are in place"
                raise OSError(error.errno or errno.EIO, said, named(self._path)) from error
            raise

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()

    def _take_away_unfinished(self, first: bytes) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if size and not first:
            raise self._refused("must be new or empty, got one that has something in it")
        self._file.seek(max(0, size - MOST_OF_LINE))
        end = self._file.read(MOST_OF_LINE)
        unfinished = end[end.rfind(b"\n") + 1 :]
        if not unfinished:
            return
        if len(unfinished) == MOST_OF_LINE or not (unfinished.startswith(first) or first.startswith(unfinished)):
            raise self._refused("must end with a line of the same kind, got one that ends within another line")
        self._file.truncate(size - len(unfinished))

    def _refused(self, broken: str) -> OSError:
        # One argument: a message of several is taken for the system's own words, and explained once more.
        return OSError(f"{named(self._path)}: a file that grows {broken}: name another")
