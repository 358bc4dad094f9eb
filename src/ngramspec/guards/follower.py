"""`Follower`: a matcher on the state of a grammar that another engine compiles and advances.

Another engine has a matcher of its own for each of its rows. A follower is a matcher of ours that stands where that one
stands. So drafts are steered within the very grammar that will mask them, and nothing is compiled twice:

    follower = XGrammarFollower(matcher.fork, vocabulary, eos_tokens)                    # an xgrammar.GrammarMatcher
    follower = LLGuidanceFollower(matcher.deep_copy, vocabulary, eos_tokens, tokenizer)  # an llguidance.LLMatcher
"""

from collections.abc import Sequence
from typing import Protocol

from ngramspec.guards.lookahead import Lookahead
from ngramspec.guards.matcher import Matcher


class Follower(Protocol):
    """A matcher that stands where another one stands. Nothing is committed to it: call `follow` instead."""

    @property
    def matcher(self) -> Matcher:
        """Itself."""

    def follow(self) -> None:
        """Take over the state of the followed matcher: call it after that one has advanced."""

    def fresh(self) -> Matcher:
        """A matcher at the start of the same grammar."""


def guarded_tail(start: Matcher, tokens: Sequence[int]) -> Sequence[int]:
    """The longest tail of `tokens` that a guarded text may begin with; start: a matcher at the start of its grammar.

    For an engine that guards the text after reasoning, and does not say where in a pass that began.
    """
    for begin in range(len(tokens)):
        with start.lookahead() as ahead:
            if _takes(ahead, tokens[begin:]):
                return tokens[begin:]
    return tokens[len(tokens) :]


def _takes(ahead: Lookahead, tokens: Sequence[int]) -> bool:
    return ahead.push_all(list(tokens)) == len(tokens)
