"""Messages between a process and its workers: a few byte strings, each preceded by its length.

Only bytes, JSON and text are read from a worker, because an untrusted source may have compromised it.
"""

import struct
from collections.abc import Callable, Sequence

MAX_BYTES = 256 << 20
"""Longest message: more than any source within its limits produces."""
_LENGTH = struct.Struct(">Q")


def packed(parts: Sequence[bytes]) -> bytes:
    """One message of `parts`."""
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    return b"".join([_LENGTH.pack(len(parts)), lengths, *parts])


def received(read: Callable[[int], bytes]) -> list[bytes]:
    """The parts of the next message; read: returns exactly the requested number of bytes.

    Raises EOFError if the message ends early or is malformed, and whatever `read` raises.
    """
    count = _number(read)
    if count > 8:
        raise EOFError(f"a message must have at most 8 parts, got {count}")
    lengths = [_number(read) for _ in range(count)]
    if sum(lengths) > MAX_BYTES:
        raise EOFError(f"a message must have at most {MAX_BYTES} bytes, got {sum(lengths)}")
    return [read(length) for length in lengths]


def _number(read: Callable[[int], bytes]) -> int:
    return int(_LENGTH.unpack(read(_LENGTH.size))[0])
