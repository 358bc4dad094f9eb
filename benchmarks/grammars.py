"""How long does a mask take? For each grammar in grammars/, along its accepted examples, at 131 k tokens.

    python -m benchmarks.grammars [--tokenizer tekken] [--names json csv …]

Also two more expensive ways to write JSON: as GBNF, and with strings that xgrammar masks slowly.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median, quantiles

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ngramspec import Guard, GuardError, Vocabulary
from ngramspec.guards import library
from ngramspec.guards.source import Backend
from ngramspec.guards.types import num_words
from ngramspec.replay import load_tokenizer

BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")

GBNF = r"""
root ::= value
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( string ws ":" ws value ws ("," ws string ws ":" ws value ws)* )? "}"
array ::= "[" ws ( value ws ("," ws value ws)* )? "]"
string ::= "\"" [^"\\\x00-\x1F]* ( "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) [^"\\\x00-\x1F]* )* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws ::= [ \t\n\r]*
"""
UNROLLED = r'[^"\\\x00-\x1f]*(\\(["\\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*'
STARRED = r'([^"\\\x00-\x1f]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*'
"""Regexes for the text between the quotes of a string, in two ways."""


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--tokenizer", default="tekken", help="as in ngramspec replay (default: tekken)")
    made.add_argument("--names", nargs="+", default=library.names(), help="grammars (default: all)")
    arguments = made.parse_args()
    vocabulary = Vocabulary.of(load_tokenizer(arguments.tokenizer))
    table = Table("grammar", "backend", "compile, ms", "mask, µs: median", "p95", box=SIMPLE_HEAD)
    for backend in BACKENDS:
        Guard.choice(["warm"], vocabulary, backend=backend)  # work that is done once per vocabulary, or per process
    for name in arguments.names:
        for backend in BACKENDS:
            for label, compile_, fills in _measured(name, backend, vocabulary):
                table.add_row(label, backend, f"{compile_ * 1e3:.0f}", f"{median(fills):.0f}", f"{_p95(fills):.0f}")
    Console().print(table)


def _measured(name: str, backend: Backend, vocabulary: Vocabulary) -> Iterator[tuple[str, float, list[float]]]:
    """A name, the seconds to compile, and the microseconds of each mask along the accepted examples."""
    texts = json.loads((library.folder() / f"{name}.examples.json").read_text(encoding="utf-8"))["accepted"]
    for label, make in _ways(name).items():
        start = time.perf_counter()
        try:
            guard = make(vocabulary, backend=backend)
        except GuardError:  # a backend that cannot read it gets no line
            continue
        seconds = time.perf_counter() - start
        yield label, seconds, [fill for example in texts for fill in _fills(guard, vocabulary.encode(example))]


def _ways(name: str) -> dict[str, Callable[..., Guard]]:
    """The grammar as it is; for JSON also two other ways to write it."""
    ways: dict[str, Callable[..., Guard]] = {name: partial(Guard.load, name)}
    if name == "json":
        starred = library.source(name).text.replace(UNROLLED, STARRED)
        assert STARRED in starred
        ways["json, strings as ([^…]|…)*"] = partial(Guard.grammar, starred)
        ways["json, as GBNF"] = partial(Guard.grammar, GBNF)
    return ways


def _fills(guard: Guard, tokens: list[int]) -> Iterator[float]:
    matcher = guard.matcher()
    out = np.zeros((1, num_words(len(guard.vocabulary))), np.int32)
    for token in tokens:
        start = time.perf_counter()
        matcher.fill((), out)
        yield (time.perf_counter() - start) * 1e6
        matcher.advance([token])


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
