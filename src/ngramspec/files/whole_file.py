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
"""Version of the layout: a line with the format's name and _VERSION, one with the SHA-256 of all that follows, one of
JSON (the header, and the type and shape of each array), then the bytes of the arrays."""


MAX_BYTES = 1 << 28
"""Default limit: a larger file is not read."""

_SHARE_OF_HEADER = 32
"""The header may take this fraction of the limit, as 1 / n: parsed JSON can take twenty times its size in memory."""

_DTYPES = ("<i4", "<u8", "<f8")


class FileFormat(NamedTuple):
    """Name of a file format, and the error raised for a file that does not have it."""

    name: str
    error: type[NgramspecError]

    @property
    def magic(self) -> bytes:
        """The first bytes of such a file."""
        return f"ngramspec {self.name} ".encode()


HISTORY = FileFormat("history", HistoryError)
COSTS = FileFormat("cost table", CostsError)


def write(path: Path, file_format: FileFormat, header: dict[str, Any], arrays: Sequence[npt.NDArray[Any]] = ()) -> None:
    """Write `header` (JSON-serialisable) and numeric `arrays` to the file; see `files.writing.replace`."""
    little = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in arrays]
    layout = [[array.dtype.str, list(array.shape)] for array in little]
    body = [json.dumps([header, layout]).encode(), b"\n", *(array.tobytes() for array in little)]
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    writing.replace(path, [b"%s%s\n%s\n" % (file_format.magic, _VERSION, digest.hexdigest().encode()), *body])


def read(
    path: Path, file_format: FileFormat, max_bytes: int = MAX_BYTES
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Read what `write` wrote: header and arrays (read-only).

    The digest proves that the file is whole, not who wrote it. Guaranteed are a header that is an object and arrays of
    the declared types and shapes; the caller must still check their values.

    Raises the format's error for another format, a damaged or truncated file, or one above `max_bytes`; OSError if the
    file cannot be read.
    """
    bounds = Bounds(f"a saved {file_format.name}", file_format.error, max_bytes, "max_bytes")
    with bounds.opened(path) as file:
        first = file.readline(100).removesuffix(b"\n")
        if not first.startswith(file_format.magic):
            raise file_format.error(
                f"a saved {file_format.name} begins with {file_format.magic.decode()!r}, got {shortened(first)} in"
                f" {named(path)}: name another file"
            )
        version = first.removeprefix(file_format.magic)
        if version != _VERSION:
            raise file_format.error(
                f"a saved {file_format.name} must be of version {_VERSION.decode()}, got {shortened(version)} in"
                f" {named(path)}: load it with the ngramspec that saved it, or delete it"
            )
        digest = file.readline(100).removesuffix(b"\n")
        body = bounds.content(file, named(path))
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise file_format.error(
            f"a saved {file_format.name} must be as it was written, got a damaged or truncated file, {named(path)}:"
            " put back a copy, or delete it and begin anew"
        )
    try:
        return _parsed(body, max_bytes // _SHARE_OF_HEADER)
    except ValueError as error:
        raise forged(file_format, path, error) from error


def forged(file_format: FileFormat, path: Path, error: ValueError) -> NgramspecError:
    """The error for a file whose digest is right but whose content is not; `error` states the rule that is broken."""
    return file_format.error(
        f"a saved {file_format.name} must hold what was saved, got a file made otherwise, {named(path)}: {error};"
        " delete it and begin anew"
    )


def _parsed(body: bytes, most_header_bytes: int) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Header and arrays. Raises ValueError, which states the broken rule."""
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
