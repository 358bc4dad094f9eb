"""A file that holds all that was written to it, or what it held before, whenever the writer is killed."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ngramspec.errors import CostsError, HistoryError, NgramspecError, shortened

_VERSION = b"1"
"""Of how the file is laid out: a line of its kind and _VERSION, one of the SHA-256 of all behind it, one of JSON (the
header, and the type and shape of each array), and the arrays, byte after byte."""


class Kind(NamedTuple):
    """What a file is called, and the error for what is none."""

    name: str
    error: type[NgramspecError]

    @property
    def magic(self) -> bytes:
        """What such a file begins with."""
        return f"ngramspec {self.name} ".encode()


HISTORY = Kind("history", HistoryError)
COSTS = Kind("cost table", CostsError)


def write(path: Path, kind: Kind, header: dict[str, Any], arrays: Sequence[npt.NDArray[Any]] = ()) -> None:
    """Put `header`, which JSON can say, and `arrays` of numbers into the file, readable to its owner alone.

    They go to a file beside it first, `.NAME.*.tmp`, which takes its place in one step. If the process is killed before
    that, this file is left there, and may be deleted. Raises OSError for what the system refuses.
    """
    path = path.resolve()  # behind a link, where the file is
    little = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in arrays]
    layout = [[array.dtype.str, list(array.shape)] for array in little]
    body = b"".join((json.dumps([header, layout]).encode(), b"\n", *(array.tobytes() for array in little)))
    descriptor, beside = tempfile.mkstemp(".tmp", f".{path.name}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"%s%s\n%s\n" % (kind.magic, _VERSION, hashlib.sha256(body).hexdigest().encode()))
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    _sync_folder(path.parent)


def read(path: Path, kind: Kind) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """What `write` put there; the arrays are read-only.

    Raises the error of its kind where something else is there, or not all of it; OSError where the file cannot be read.
    """
    first, _, rest = path.read_bytes().partition(b"\n")
    if not first.startswith(kind.magic):
        raise kind.error(
            f"a saved {kind.name} begins with {kind.magic.decode()!r}, got {shortened(first)} in {path}:"
            " name another file"
        )
    version = first.removeprefix(kind.magic)
    if version != _VERSION:
        raise kind.error(
            f"a saved {kind.name} must be of version {_VERSION.decode()}, got {shortened(version)} in {path}:"
            " load it with the ngramspec that saved it, or delete it"
        )
    digest, _, body = rest.partition(b"\n")
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise kind.error(
            f"a saved {kind.name} must be as it was written, got a damaged or truncated file, {path}:"
            " put back a copy, or delete it and begin anew"
        )
    line, _, data = body.partition(b"\n")
    header, layout = json.loads(line)
    arrays, start = [], 0
    for dtype, shape in layout:
        array = np.frombuffer(data, dtype, int(np.prod(shape)), start).reshape(shape)
        arrays.append(array)
        start += array.nbytes
    return header, arrays


def _sync_folder(folder: Path) -> None:
    """Make sure that the file's new name outlives a power cut; where a folder can be synced."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
