"""What a terminal matches, according to llguidance, byte by byte; and texts as a guard spells them."""

import json

from hypothesis import reject
from llguidance import LLMatcher

from ngramspec.guards.backends.llguidance import Compiled
from ngramspec.guards.schemas.terminals import Terminal
from tests.guards.vocabularies import BYTES


def grammar(terminal: Terminal) -> str:
    helpers = "".join(f"{name}: {text}\n" for name, text in terminal.helpers.items())
    return f"start: A\nA: {terminal.text}\n{helpers}"


class Matched:
    """The spellings that a terminal matches; none of None."""

    def __init__(self, terminal: Terminal | None) -> None:
        self._compiled = None
        if terminal is not None:
            self._compiled = Compiled(LLMatcher.grammar_from_lark(grammar(terminal)), BYTES)

    def __contains__(self, spelling: str) -> bool:
        return self.has(spelling.encode())

    def has(self, spelling: bytes) -> bool:
        if self._compiled is None:
            return False
        matcher = self._compiled.copy()
        for start in range(0, len(spelling), 8):
            tokens = list(spelling[start : start + 8])
            is_read = matcher.try_consume_tokens(tokens) == len(tokens)
            matcher.compute_bitmask()  # between tokens there is one; and an automaton that is full says so only here
            if "too many expressions" in matcher.get_error():
                reject()  # llguidance gives up in the middle of a text, and says so: no answer, not a wrong one
            assert not matcher.is_error(), matcher.get_error()
            if not is_read:
                return False
        return matcher.is_accepting()


def quoted(text: str) -> str:
    """A JSON string as a guard writes it: DEL by its code, as llguidance does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
