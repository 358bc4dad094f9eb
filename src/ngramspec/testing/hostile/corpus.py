"""All kinds of hostile inputs, and a random choice of them."""

from collections.abc import Iterator, Sequence
from random import Random

from ngramspec.testing.hostile import files, grammars, regexes, schemas, texts
from ngramspec.testing.hostile.inputs import SIZES, Generator, Input

CORPUS: dict[str, Generator] = {
    **schemas.GENERATORS, **regexes.GENERATORS, **grammars.GENERATORS, **texts.GENERATORS, **files.GENERATORS
}  # fmt: skip
"""The generators by name."""


def source(each: Input) -> str:
    """The text of an input; for a file, the name of its kind."""
    generator = CORPUS[each.generator]
    return generator.make(each.size, Random(each.seed))


def drawn(number: int, seed: int, backends: Sequence[str], sizes: Sequence[int] = SIZES) -> Iterator[Input]:
    """`number` inputs: each generator with each size and backend in turn, and then again with other seeds."""
    chance = Random(seed)
    every = [Input(name, size, 0, backend) for size in sizes for backend in backends for name in CORPUS]
    for turn in range(-(-number // len(every))):
        chance.shuffle(every)
        some = every[: number - turn * len(every)]
        yield from (Input(each.generator, each.size, chance.randrange(10**6), each.backend) for each in some)
