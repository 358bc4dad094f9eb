"""A file that holds all that was written to it, or what it held before, whenever the writer is killed."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ngramspec.errors import CostsError, HistoryError, NgramspecError, shortened
from ngramspec.files import writing
from ngramspec.files.checking import checked_int, checked_list
from ngramspec.files.reading import Bounds
from ngramspec.printing import named

_VERSION = b"1"
"""Of how the file is laid out: a line of its kind and _VERSION, one of the SHA-256 of all after it, one of JSON (the
header, and the type and shape of each array), and the arrays, byte after byte."""


MAX_BYTES = 1 << 28
"""A larger file is not read, unless told otherwise."""

_SHARE_OF_HEADER = 32
"""JSON may take twenty times as much memory as it has bytes, so of it less is read than of arrays: a part of the limit,
one in so many."""

_DTYPES = ("<i4", "<u8", "<f8")


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
    """Put `header`, which JSON can say, and `arrays` of numbers into the file; see `files.writing.replace`."""
    little = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in arrays]
    layout = [[array.dtype.str, list(array.shape)] for array in little]
    body = [json.dumps([header, layout]).encode(), b"\n", *(array.tobytes() for array in little)]
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    writing.replace(path, [b"%s%s\n%s\n" % (kind.magic, _VERSION, digest.hexdigest().encode()), *body])


def read(path: Path, kind: Kind, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """What `write` put there; the arrays are read-only. Whoever can write a file can give it a right digest too.

    So the header is an object and the arrays are of the types that they claim; what they say is still to be checked.

    Raises the error of its kind where something else is there, not all of it, or more than `max_bytes`; OSError where
    the file cannot be read.
    """
    bounds = Bounds(f"a saved {kind.name}", kind.error, max_bytes, "max_bytes")
    with bounds.opened(path) as file:
        first = file.readline(100).removesuffix(b"\n")
        if not first.startswith(kind.magic):
            raise kind.error(
                f"a saved {kind.name} begins with {kind.magic.decode()!r}, got {shortened(first)} in {named(path)}:"
                " name another file"
            )
        version = first.removeprefix(kind.magic)
        if version != _VERSION:
            raise kind.error(
                f"a saved {kind.name} must be of version {_VERSION.decode()}, got {shortened(version)} in"
                f" {named(path)}: load it with the ngramspec that saved it, or delete it"
            )
        digest = file.readline(100).removesuffix(b"\n")
        body = bounds.content(file, named(path))
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise kind.error(
            f"a saved {kind.name} must be as it was written, got a damaged or truncated file, {named(path)}:"
            " put back a copy, or delete it and begin anew"
        )
    try:
        return _parsed(body, max_bytes // _SHARE_OF_HEADER)
    except ValueError as error:
        raise forged(kind, path, error) from error


def forged(kind: Kind, path: Path, error: ValueError) -> NgramspecError:
    """What to raise of a file whose digest is right and whose content is not; `error` says which rule it breaks."""
    return kind.error(
        f"a saved {kind.name} must hold what was saved, got a file made otherwise, {named(path)}: {error};"
        " delete it and begin anew"
    )


def _parsed(body: bytes, most_header_bytes: int) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Header and arrays; raises ValueError, with the rule that is broken."""
    end = body.find(b"\n", 0, most_header_bytes)
    if end < 0:
        raise ValueError(f"its header must be a line of at most {most_header_bytes} bytes, which max_bytes raises")
    try:
        parsed = json.loads(body[:end])
    except RecursionError:
        raise ValueError("its header must not be nested that deeply") from None
    if not (isinstance(parsed, list) and len(parsed) == 2 and isinstance(parsed[0], dict)):
        raise ValueError("its header must be a list of an object and the layout of arrays")
    header, layout = parsed
    arrays, start = [], end + 1
    for dtype, shape in checked_list(layout, "the layout of arrays", of=2):
        if dtype not in _DTYPES:
            raise ValueError(f"an array must be of one of the types {', '.join(_DTYPES)}, got {shortened(dtype)}")
        sizes = [checked_int(size, "the size of an array", 0, len(body)) for size in checked_list(shape, "a shape")]
        size = math.prod(sizes)
        if not 1 <= len(sizes) <= 2 or size * np.dtype(dtype).itemsize > len(body) - start:
            raise ValueError(f"an array must have one or two dimensions and fit the file, got {shortened(sizes)}")
        array = np.frombuffer(body, dtype, size, start).reshape(sizes)
        arrays.append(array)
        start += array.nbytes
    if start != len(body):
        raise ValueError(f"its arrays must be all that follows, got {len(body) - start} bytes more")
    return header, arrays
