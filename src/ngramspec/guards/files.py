"""Reading a file that somebody has named: a regular one, and no more of it than the limits allow."""

import os
import stat
from pathlib import Path

from ngramspec.errors import GuardError
from ngramspec.guards.limits import Limits, raised


def read_file(path: Path, limits: Limits) -> str:
    """The text of a regular file in UTF-8. Raises GuardError, which quotes nothing of it, for any other."""
    name = str(path)
    try:
        # A FIFO without a writer would not open before there is one.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError as error:
        raise GuardError(f"a grammar's path must be a file's, got {name!r}: {error.strerror}") from None
    except ValueError:  # a path with a character of code 0, or half a surrogate pair
        raise GuardError(f"a grammar's path must be a file's, got {name!r}: no file has such a name") from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise GuardError(f"a grammar's path must be a regular file's, got {name!r}")
        with os.fdopen(file, "rb", closefd=False) as opened:
            found = opened.read(limits.max_source_bytes + 1)
    finally:
        os.close(file)
    if len(found) > limits.max_source_bytes:
        raise GuardError(
            f"a grammar's file must have at most max_source_bytes={limits.max_source_bytes}, got more in {name!r}:"
            f" {raised('max_source_bytes')}"
        )
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise GuardError(
            f"a grammar's file must be text in UTF-8, got {name!r}: not so at byte {error.start}"
        ) from None
