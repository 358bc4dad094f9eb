"""A hostile input: how it is called, so that it can be made again anywhere, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["schema", "regex", "grammar", "text", "marker", "trace", "history", "costs"]
"""What it is handed over as. text: to `Guard.accepts`. trace, history, costs: a file."""

SIZES = (300, 3_000, 30_000, 300_000, 1_000_000)
"""Bytes of an input, or a few more or less."""


class Generator(NamedTuple):
    """make: of a size in bytes and chance, the text of an input. fault: what was found with one of its kind."""

    kind: Kind
    make: Callable[[int, Random], str]
    fault: str


@dataclass(frozen=True, slots=True)
class Input:
    """The input that `generator` makes of `size` and `seed`; backend: who compiles it, where somebody does."""

    generator: str
    size: int
    seed: int = 0
    backend: str = "llguidance"

    def __str__(self) -> str:
        """As a report names it."""
        return f"{self.generator} of {self.size} bytes, seed {self.seed}, {self.backend}"


def repeated(piece: str, size: int) -> str:
    """`piece` as often as it takes to fill `size` bytes, at least once."""
    return piece * max(1, size // len(piece))
