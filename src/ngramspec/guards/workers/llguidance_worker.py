"""llguidance's worker: compiles a source, tries it on bytes, and returns the grammar's text."""

from random import Random

from llguidance import LLMatcher

from ngramspec.guards.backends.llguidance import grammars_of, limits_of, make_tokenizer, reason
from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.source import Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.preparing import STEP_SECONDS, answer_message, read_request

_BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
_TOKENIZER = make_tokenizer(_BYTES)
NUM_TRIED = 12
"""Bytes of a trial text: a grammar that is ambiguous from its beginning is slow by then."""


def answer(parts: list[bytes]) -> list[bytes]:
    """The grammar's text for `parts`, once it compiles."""
    source, options = read_request(parts)
    pace = Pace(options[STEP_SECONDS])

    def build(prepared: Source) -> tuple[bytes, list[str]]:
        grammar, on_trial = grammars_of(prepared)
        matcher = LLMatcher(_TOKENIZER, on_trial, log_level=0, limits=limits_of(options))
        _check(matcher)
        left_out = matcher.get_grammar_warnings()
        _try(matcher, pace)
        return grammar.encode(), left_out

    return answer_message(source, "llguidance", build)


def _try(matcher: LLMatcher, pace: Pace) -> None:
    """Read some text, with masks, and roll back, on this thread's small stack, so that an overflow happens here.

    A slow grammar is refused here, where no other thread waits for it. Raises BackendError.
    """
    copy, chance = matcher.deep_copy(), Random(0)
    for _ in range(NUM_TRIED):
        mask = pace.mask(copy.compute_bitmask)
        allowed = [byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1]
        if not allowed:
            break
        pushed, _ = pace.look(copy.try_consume_tokens, [chance.choice(allowed)])
        if not pushed:
            break
        copy.is_accepting()
        copy.compute_ff_bytes()
    copy.rollback(1)


def _check(matcher: LLMatcher) -> None:
    if matcher.is_error():
        raise BackendError(reason(matcher))
