"""What llguidance's worker does: it compiles a source, tries it on bytes, and hands the grammar's text back."""

from llguidance import LLMatcher

from ngramspec.guards.backends.llguidance import grammars_of, limits_of, make_tokenizer, reason
from ngramspec.guards.source import Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.making import answered, asked

_BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
_TOKENIZER = make_tokenizer(_BYTES)


def answer(parts: list[bytes]) -> list[bytes]:
    """The grammar's text for `parts`, once it has been seen to compile."""
    source, options = asked(parts)

    def build(prepared: Source) -> tuple[bytes, list[str]]:
        grammar, on_trial = grammars_of(prepared)
        matcher = LLMatcher(_TOKENIZER, on_trial, log_level=0, limits=limits_of(options))
        _check(matcher)
        left_out = matcher.get_grammar_warnings()
        _try(matcher)
        return grammar.encode(), left_out

    return answered(source, "llguidance", build)


def _try(matcher: LLMatcher) -> None:
    """Ask for a mask, and go a step and back, on this thread's small stack: what overflows it does so here."""
    copy = matcher.deep_copy()
    mask = copy.compute_bitmask()
    allowed = next((byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1), None)
    if allowed is not None and copy.try_consume_tokens([allowed]):
        copy.is_accepting()
        copy.compute_ff_bytes()
        copy.rollback(1)


def _check(matcher: LLMatcher) -> None:
    if matcher.is_error():
        raise BackendError(reason(matcher))
