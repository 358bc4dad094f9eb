"""The one way in which files are read: regular files only, opened without blocking, and within a limit.

A name may refer to anything: a device that never ends, a pipe without a writer, a sparse file as large as a disk, a few
compressed megabytes that expand to gigabytes. The type is checked on the open file, so that nothing can be swapped in
between the check and the reading.
"""

import errno
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ngramspec.printing import named

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

_FEW_LINES, _SHORT_LINE = 1000, 256
"""This many lines may have any length; beyond that a minimum average length is required, or a file of blank lines would
take hours."""

GZIP = b"\x1f\x8b"
"""The first bytes of a gzipped file."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a file, and the error for exceeding them.

    what: the name in messages, "a saved history". error: raised for another type of file, or one that is too large.
    most_bytes: of the whole file, uncompressed. most_line_bytes: of a line, if the file has lines.
    raised_by: the argument or option that raises the limit; "" if there is none.
    """

    what: str
    error: type[Exception]
    most_bytes: int
    raised_by: str = ""
    most_line_bytes: int = 0

    def opened(self, path: str | Path) -> BinaryIO:
        """The open file. Raises `error` if it is not a regular file, OSError if there is none."""
        self._check_kind(os.stat(path), path)  # opening a pipe, even for a moment, can kill its writer
        file = io.BufferedReader(_Named(path, opener=_opened))
        try:
            found = os.fstat(file.fileno())
            self._check_kind(found, path)
            if found.st_size > self.most_bytes:
                raise self._too_long(named(path))
        except BaseException:
            file.close()
            raise
        return file

    def content(self, file: BinaryIO, name: str) -> bytes:
        """All bytes of `file`; name: for messages."""
        content = file.read(self.most_bytes + 1)
        if len(content) > self.most_bytes:
            raise self._too_long(name)
        return content

    def lines(self, file: BinaryIO, name: str) -> Iterator[bytes]:
        """The lines of `file`, gzipped or not, one at a time. Raises `error`, with the number of the line."""
        first = file.read(len(GZIP))
        if len(first) < len(GZIP):  # end of file; reading a keyboard once more would need another Ctrl-D
            file = io.BytesIO()
        rest = cast(BinaryIO, _Prefixed(first, file))
        lines = cast(BinaryIO, gzip.GzipFile(fileobj=rest)) if first == GZIP else rest
        most_lines = _FEW_LINES + self.most_bytes // _SHORT_LINE
        number = num_bytes = 0
        try:
            while line := lines.readline(self.most_line_bytes + 1):
                number, num_bytes = number + 1, num_bytes + len(line)
                if number > most_lines:
                    raise self.error(
                        f"{name}: {self.what} must take at most {most_lines} lines, got more:"
                        f" leave blank ones out, or raise {self.raised_by}"
                    )
                if len(line) > self.most_line_bytes:
                    raise self.error(
                        f"{name}:{number}: a line must take at most {self.most_line_bytes} bytes, got more:"
                        " leave it out, or write it as several"
                    )
                if num_bytes > self.most_bytes:
                    raise self._too_long(f"{name}:{number}")
                yield line
                if lines is rest and number > len(first):
                    lines = file  # the bytes read ahead are used up
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self.error(
                f"{name}:{number + 1}: a gzipped file must be whole, got {error}; copy or compress it again"
            ) from error

    def _check_kind(self, found: os.stat_result, path: str | Path) -> None:
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, "Is a directory", os.fspath(path))
        if kind != stat.S_IFREG:
            raise self.error(
                f"{self.what} must be a regular file, got {_KINDS.get(kind, 'something else')}, {named(path)}:"
                " copy what it gives into a file first"
            )

    def _too_long(self, name: str) -> Exception:
        remedy = f"raise {self.raised_by}" if self.raised_by else "take less"
        return self.error(f"{self.what} must take at most {self.most_bytes} bytes, got more, {name}: {remedy}")


class _Named(io.FileIO):
    """A file whose read errors carry its name, as open errors do."""

    def readinto(self, buffer: Any) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.name) from error


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


class _Prefixed:
    """A file from which a few bytes were read ahead: these bytes, then the rest."""

    def __init__(self, first: bytes, file: BinaryIO) -> None:
        self._first = first
        self._file = file

    def read(self, size: int = -1) -> bytes:
        first, self._first = self._first[: size if size >= 0 else None], self._first[size:] if size >= 0 else b""
        return first or self._file.read(size)

    def readline(self, size: int) -> bytes:
        first, self._first = self._first, b""
        if b"\n" in first:
            line, end, self._first = first.partition(b"\n")
            return line + end
        return first + self._file.readline(size - len(first))

    def readable(self) -> bool:
        return True
