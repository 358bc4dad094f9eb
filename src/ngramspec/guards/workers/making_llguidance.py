"""What llguidance's worker does: it compiles a source, tries it on bytes, and hands the grammar's text back."""

from random import Random

from llguidance import LLMatcher

from ngramspec.guards.backends.llguidance import STEP_SECONDS, grammars_of, limits_of, make_tokenizer, reason
from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.source import Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.making import answered, asked

_BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
_TOKENIZER = make_tokenizer(_BYTES)
NUM_TRIED = 12
"""Bytes of a text that a grammar is tried with: what is ambiguous from its beginning is slow by then."""


def answer(parts: list[bytes]) -> list[bytes]:
    """The grammar's text for `parts`, once it has been seen to compile."""
    source, options = asked(parts)
    pace = Pace(options[STEP_SECONDS])

    def build(prepared: Source) -> tuple[bytes, list[str]]:
        grammar, on_trial = grammars_of(prepared)
        matcher = LLMatcher(_TOKENIZER, on_trial, log_level=0, limits=limits_of(options))
        _check(matcher)
        left_out = matcher.get_grammar_warnings()
        _try(matcher, pace)
        return grammar.encode(), left_out

    return answered(source, "llguidance", build)


def _try(matcher: LLMatcher, pace: Pace) -> None:
    """Read some text, with masks, and go back, on this thread's small stack: what overflows it does so here.

    What is slow to read is refused here, where nobody waits for it. Raises BackendError.
    """
    copy, chance = matcher.deep_copy(), Random(0)
    for _ in range(NUM_TRIED):
        mask = pace.mask(copy.compute_bitmask)
        allowed = [byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1]
        if not allowed or not pace.step(1, copy.try_consume_tokens, [chance.choice(allowed)]):
            break
        copy.is_accepting()
        copy.compute_ff_bytes()
    copy.rollback(1)


def _check(matcher: LLMatcher) -> None:
    if matcher.is_error():
        raise BackendError(reason(matcher))
