"""Hostile texts for harmless guards, and hostile markers."""

from functools import partial
from random import Random

from ngramspec.testing.hostile.inputs import Generator, repeated


def _near(size: int, _chance: Random) -> str:
    """A marker that can begin again at each of its characters."""
    return "ab" * (size // 4) + "c"


def _names(size: int, _chance: Random) -> str:
    return "{" + ",".join(f'"{number}":1' for number in range(size // 9)) + "}"


def _odd(letters: str, size: int, chance: Random) -> str:
    return "".join(chance.choices(letters, k=size))


GENERATORS = {
    "texts.deep_lists": Generator("text", lambda size, _chance: "[" * size, "r12"),
    "texts.closed_lists": Generator("text", lambda size, _chance: "[" * (size // 2) + "]" * (size // 2), "r12"),
    "texts.deep_objects": Generator("text", lambda size, _chance: repeated('{"a":', size), "r12"),
    "texts.digits": Generator("text", lambda size, _chance: "9" * size, "r12"),
    "texts.exponent": Generator("text", lambda size, _chance: "1e" + "9" * size, "r12"),
    "texts.string": Generator("text", lambda size, _chance: '"' + "a" * size + '"', "r03"),
    "texts.escapes": Generator("text", lambda size, _chance: '"' + repeated(r"\u0000", size), "r03"),
    "texts.blanks": Generator("text", lambda size, _chance: "[" + " " * size + "]", "r03"),
    "texts.names": Generator("text", _names, "d9"),
    "texts.wide_letters": Generator("text", lambda size, _chance: '"' + "😀" * (size // 4) + '"', "r03"),
    "texts.halves": Generator("text", lambda size, _chance: '"' + "\ud800" * size, "r12"),
    "texts.control": Generator("text", partial(_odd, "\x00\x1b\x9b\u202e"), "r11"),
    "markers.letters": Generator("marker", lambda size, _chance: "a" * size, "r13"),
    "markers.near": Generator("marker", _near, "r13"),
    "markers.wide": Generator("marker", lambda size, _chance: "😀" * max(1, size // 4), "r13"),
    "markers.odd": Generator("marker", partial(_odd, "\x00\x1b\ud800é<>"), "r11"),
}  # fmt: skip
