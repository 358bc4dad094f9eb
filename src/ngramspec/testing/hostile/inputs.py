"""A hostile input: its name, by which it can be made again anywhere, and its generator."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["schema", "regex", "grammar", "text", "marker", "trace", "history", "costs"]
"""How an input is used. text: by `Guard.accepts`. trace, history, costs: as a file."""

SIZES = (300, 3_000, 30_000, 300_000, 1_000_000)
"""Approximate sizes of an input, in bytes."""


class Generator(NamedTuple):
    """make: makes the text of an input from a size in bytes and a random generator. fault: found with this kind."""

    kind: Kind
    make: Callable[[int, Random], str]
    fault: str


@dataclass(frozen=True, slots=True)
class Input:
    """The input that `generator` makes from `size` and `seed`; backend: compiles it, if it is compiled."""

    generator: str
    size: int
    seed: int = 0
    backend: str = "llguidance"

    def __str__(self) -> str:
        """Its name in a report."""
        return f"{self.generator} of {self.size} bytes, seed {self.seed}, {self.backend}"


def repeated(piece: str, size: int) -> str:
    """`piece` repeated to fill `size` bytes, at least once."""
    return piece * max(1, size // len(piece))
