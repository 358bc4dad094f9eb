"""How files are replaced: the new file takes the name of the old one whole, in one step, or not at all.

It is first written beside the old one, and locked meanwhile. So a leftover of a killed process can be told from the
file of a running one, and the next writer of the same file removes it.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ngramspec.printing import named

try:
    import fcntl
except ImportError:  # without locks nothing is removed
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".ngramspec.tmp"
_MOST_OF_NAME = 100
"""Characters of a file's name that the temporary name contains; that name must fit the system's limit too."""


def replace(path: Path, parts: Sequence[bytes]) -> None:
    """Write `parts`, one after another, to the file, readable by its owner only.

    A link owned by the user or by root is followed to a regular file of the user's, or to a missing one. The null
    device accepts everything.

    Raises OSError if the system refuses, and for targets that are never replaced: a device, a pipe, a folder, a link
    owned by somebody else or to somebody else's file. The error says which file is in place; so does a note on any
    other exception, such as an interrupt.
    """
    target = replaceable(path)
    if target is None:
        return
    _clear(target)
    while not _is_replaced(path, target, parts):
        pass


def _is_replaced(path: Path, target: Path, parts: Sequence[bytes]) -> bool:
    """Replace `target`; False if another writer took the new file for a leftover before it was locked."""
    beside = _beside(target)  # named before it is created, so that it can be removed whenever this is interrupted
    identity: list[tuple[int, int]] = []
    descriptors: list[int] = []
    try:
        with open(beside, "xb", opener=private) as file:
            identity.append(_identity(os.fstat(file.fileno())))
            if not is_locked(file) or not _is_at(beside, identity):
                return False
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
            if replaceable(path) != target:
                raise OSError(errno.EBUSY, "the name was given to something else meanwhile", os.fspath(path))
            os.replace(beside, target)
        _sync_folder(target.parent, descriptors)
        return True
    except BaseException as error:
        _close(descriptors)
        with suppress(OSError):  # it is in place, or the system refuses this too: then the next save removes it
            os.unlink(beside)
        is_in_place = _is_at(target, identity)
        if isinstance(error, OSError):
            raise _explained(error, path, is_in_place=is_in_place) from error
        error.add_note(f"{named(path)}: {_in_place(is_in_place=is_in_place)}")
        raise


def replaceable(path: Path) -> Path | None:
    """The file to replace for `path`, after following links; None for the null device."""
    target = path.parent.resolve() / path.name
    num_links = 0
    while True:
        try:
            found = os.lstat(target)
        except FileNotFoundError:
            return target
        if not stat.S_ISLNK(found.st_mode):
            break
        num_links += 1
        if num_links > 40:  # Linux's own limit
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
        if not _is_ours(found, or_roots=True):
            raise _refused(path, f"a link that belongs to user {found.st_uid}")
        target = target.parent / os.readlink(target)
        target = target.parent.resolve() / target.name
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "a folder" if stat.S_ISDIR(found.st_mode) else "a device, pipe or socket")
    if num_links and not _is_ours(found):
        raise _refused(path, f"a link to a file that belongs to user {found.st_uid}")
    return target


def _refused(path: Path, kind: str) -> OSError:
    return OSError(
        errno.EPERM, f"a file is replaced where there is none or a regular one, got {kind}: name another", named(path)
    )


def _is_ours(found: os.stat_result, *, or_roots: bool = False) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid() or (or_roots and found.st_uid == 0)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:_MOST_OF_NAME]}.{secrets.token_hex(8)}{_SUFFIX}")


private = partial(os.open, mode=0o600)
"""Opens a new file. A Python function would not do: an interrupt inside it could lose the descriptor."""


def is_locked(file: BinaryIO) -> bool:
    """Mark this file as being written, if the file system can lock; False if another process was first."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # its holder is about to remove the file
            return False
        except OSError:  # without locks nothing is removed
            return True
    return True


def _clear(target: Path) -> None:
    """Remove files that dead writers of `target` left beside it."""
    if fcntl is None or not target.parent.is_dir():
        return
    stray = re.compile(re.escape(f".{target.name[:_MOST_OF_NAME]}.") + "[0-9a-f]{16}" + re.escape(_SUFFIX))
    with suppress(PermissionError):  # write access to a folder does not imply read access
        for name in filter(stray.fullmatch, os.listdir(target.parent)):
            with suppress(OSError):  # being written, somebody else's, or removed by another writer
                _take_away(target.parent / name)


def _take_away(left: Path) -> None:
    descriptors: list[int] = []
    try:
        _open_into(descriptors, left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(descriptors[0])
        if not (stat.S_ISREG(found.st_mode) and _is_ours(found)):
            return
        fcntl.flock(descriptors[0], fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer holds the lock as long as it lives
        os.unlink(left)
    finally:
        _close(descriptors)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _is_at(target: Path, identity: list[tuple[int, int]]) -> bool:
    with suppress(OSError):
        return identity == [_identity(os.lstat(target))]
    return False


def _in_place(*, is_in_place: bool) -> str:
    return "the new file is in place" if is_in_place else "what was there before is there still"


def _explained(error: OSError, path: Path, *, is_in_place: bool) -> OSError:
    """The same error with a message that says which file is in place."""
    said = _in_place(is_in_place=is_in_place) + (", but may not outlive a power cut" if is_in_place else "")
    return OSError(error.errno or errno.EIO, f"{error.strerror or error}; {said}", named(path))


def _sync_folder(folder: Path, descriptors: list[int]) -> None:
    """Make the file's new name survive a power cut, if the folder can be synced.

    descriptors: an empty list; after an interrupt it holds the open descriptors.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        _open_into(descriptors, folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptors[0])
    finally:
        _close(descriptors)


def _open_into(descriptors: list[int], path: Path, flags: int) -> None:
    """Open `path` and store the descriptor in one step, so that an interrupt cannot come between the two."""
    descriptors.extend(map(os.open, (path,), (flags,)))


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
