"""Hostile files, by kind, which `make` creates in a folder; devices and pipes among them."""

import gzip
import hashlib
import os
from functools import partial
from pathlib import Path
from random import Random

from ngramspec.testing.hostile.inputs import Generator, Kind

NAMES = (
    "zero", "pipe", "folder", "bomb", "line", "deep", "sparse", "noise", "empty", "digits", "forged", "halves",
    "nowhere",
)  # fmt: skip


def make(name: str, size: int, chance: Random, folder: Path) -> Path:
    """The hostile file `name` of about `size` bytes, in `folder` unless it is a system file."""
    path = folder / name
    match name:
        case "zero":
            return Path("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "bomb":
            _bomb(path, size)
        case "sparse":
            with path.open("wb") as file:
                file.truncate(size * 100_000)
        case "nowhere":
            return folder / ("x\x1b[31m" * 30)
        case _:
            path.write_bytes(_content(name, size, chance))
    return path


def _bomb(path: Path, size: int) -> None:
    """A line that expands to a thousand times its size when unpacked."""
    block = b" " * 1_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(max(1, size // 1000)):
            file.write(block)


def _content(name: str, size: int, chance: Random) -> bytes:
    match name:
        case "line":
            return b'{"prompt": "' + b"a" * size
        case "deep":
            return b"[" * size
        case "noise":
            return chance.randbytes(size)
        case "digits":
            return b'{"prompt_ids": [' + b"9" * size + b'], "output_ids": []}'
        case "halves":
            return b'{"prompt": "\\ud800", "output": "' + b"\\udfff" * (size // 6) + b'"}'
        case "forged":
            kind = chance.choice((b"history", b"cost table"))
            header = chance.choice(
                (b"[{}, []]", b"[[], [1]]", b"{", b'[{"tables": 5}, [["<i4", [-1]]]]', b"[" * size, b"[1e999]")
            )
            body = header + b"\n" + chance.randbytes(size)
            return b"ngramspec %s 1\n%s\n%s" % (kind, hashlib.sha256(body).hexdigest().encode(), body)
    return b""


def _called(name: str, _size: int, _chance: Random) -> str:
    return name


_KINDS: tuple[Kind, ...] = ("trace", "history", "costs")
GENERATORS = {
    f"files.{name}.{kind}": Generator(kind, partial(_called, name), "r10" if name == "forged" else "r08")
    for name in NAMES
    for kind in _KINDS
}
