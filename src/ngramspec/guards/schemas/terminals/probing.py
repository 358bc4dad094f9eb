r"""Whether llguidance can handle a terminal: intersections and complements may take it an unpredictable time.

For a mask it follows each token's bytes, which creates new expressions, and checks whether anything can still match. It
counts the expressions, and gives up at a limit, in the middle of a text. Here a terminal is tried on a few tokens of a
small vocabulary, with three quarters of that limit.
"""

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

FUEL = 150_000
"""Most expressions for one mask; llguidance's own limit is 200 000."""
NUM_STEPS = 6


def is_possible(terminal: Terminal, num_steps: int = NUM_STEPS) -> bool:
    """Whether a terminal matches anything. Raises NotSayableError if llguidance may not be able to handle it.

    num_steps: tokens that are tried; 0 to check only whether it matches anything.
    """
    from llguidance import LLMatcher, LLParserLimits

    definitions = "".join(f"{name}: {text}\n" for name, text in terminal.helpers.items())
    grammar = LLMatcher.grammar_from_lark(f"start: A\nA: {terminal.text}\n{definitions}")
    matcher = LLMatcher(_tokenizer(), grammar, log_level=0, limits=LLParserLimits(step_lexer_fuel=FUEL))
    if not _allowed(matcher).size:
        return False
    for step in range(num_steps):
        allowed = _allowed(matcher)
        if not allowed.size:
            break
        matcher.consume_token(int(allowed[allowed.size * (5 * step + 5) // 37 % allowed.size]))
    return True


def _allowed(matcher: "LLMatcher") -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """The tokens that may come next, other than the end."""
    bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    # A terminal that matches nothing is an error as well, once its mask is computed.
    if matcher.is_error() and "NoExtension" not in matcher.get_error():
        raise NotSayableError(f"llguidance gives up on it ({matcher.get_error().partition(chr(10))[0]})")
    return np.flatnonzero(bits[: _tokenizer().eos_token])


@cache
def _tokenizer() -> "LLTokenizer":
    """Bytes, and 3 000 words of up to five letters, capitals, digits and signs: a small model of a large vocabulary."""
    from ngramspec.guards.backends.llguidance import tokenizer_of
    from ngramspec.guards.vocabulary import Vocabulary

    syllables = ["".join(letters) for letters in product("bcdfglmnprst", "aeiou")]
    words = ["".join(pair) for index, pair in enumerate(product(syllables, syllables)) if index % 3 == 0]
    pairs = map("".join, product("aeiost_-./ ,:0129xyAB", repeat=2))
    digits = [f"{number:03}" for number in range(0, 1000, 7)]
    more = ["----", "....", "    ", "://", "http://", "www", *(f" {word}" for word in words), *map(str.title, words)]
    texts = dict.fromkeys([*syllables, *words, *pairs, *digits, *more])
    tokens = [*(bytes([byte]) for byte in range(256)), *map(str.encode, texts), b"<end>"]
    return tokenizer_of(Vocabulary(tokens, eos_tokens=[len(tokens) - 1]))
