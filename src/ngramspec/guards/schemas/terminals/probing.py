r"""Whether llguidance gets through a terminal: intersections and complements may take it a time that nobody foresees.

To follow a terminal by one character it makes new expressions, and to know whether anything can still match it may
have to look far ahead. It counts them, and gives up at a limit, in the middle of a text. Here a terminal is followed
for a while, along texts that it allows, with less than a third of that.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

FUEL = 64_000
"""Expressions for one step. llguidance's own limit is 200 000, for a mask with all that follow a token's bytes."""
NUM_WALKS = 2
NUM_STEPS = 16


def is_possible(terminal: Terminal) -> bool:
    """Whether a terminal matches anything; raises NotSayableError where llguidance may not get through it."""
    from llguidance import LLMatcher, LLParserLimits

    definitions = "".join(f"{name}: {text}\n" for name, text in terminal.helpers.items())
    grammar = LLMatcher.grammar_from_lark(f"start: A\nA: {terminal.text}\n{definitions}")
    first = LLMatcher(_tokenizer(), grammar, log_level=0, limits=LLParserLimits(step_lexer_fuel=FUEL))
    _check(first)
    if not _allowed(first):
        return first.is_accepting()
    for walk in range(NUM_WALKS):
        _follow(first.deep_copy(), walk)
    return True


def _follow(matcher: "LLMatcher", walk: int) -> None:
    """Along bytes that are letters where there are any, and others each time."""
    for step in range(NUM_STEPS):
        allowed = _allowed(matcher)
        _check(matcher)
        letters = [byte for byte in allowed if chr(byte).isalnum()] or allowed
        if not letters:
            return
        matcher.consume_token(letters[(5 * step * (walk + 1) + 11 * walk) % len(letters)])


def _allowed(matcher: "LLMatcher") -> list[int]:
    bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    return [int(byte) for byte in np.flatnonzero(bits[:256])]


def _check(matcher: "LLMatcher") -> None:
    # A terminal that nothing matches is an error to it as well, once its mask is asked for.
    if matcher.is_error() and "NoExtension" not in matcher.get_error():
        raise NotSayableError(f"llguidance gives up on it ({matcher.get_error().partition(chr(10))[0]})")


@cache
def _tokenizer() -> "LLTokenizer":
    from llguidance import LLTokenizer

    return LLTokenizer("byte")
