"""llguidance: JSON schemas, regexes and Lark, compiled in milliseconds; the default.

An LLMatcher never raises: it goes into an error state and stays there, in which it allows its own end of sequence. So
every call is followed by a look at `is_error`.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ngramspec.guards.backends.gbnf import lark_of
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.source import Kind, Source
from ngramspec.guards.types import BackendError, BitmaskArray, num_words
from ngramspec.guards.vocabulary import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer


def tokenizer_of(vocabulary: Vocabulary) -> "LLTokenizer":
    """The vocabulary as llguidance reads it, and behind it an id for each byte that no token is alone."""
    return vocabulary.once("llguidance", partial(_make_tokenizer, vocabulary))


def vocabulary_of(tokenizer: "LLTokenizer") -> Vocabulary:
    """The tokens that llguidance knows, and their bytes."""
    ids = range(tokenizer.vocab_size)
    return Vocabulary(
        [tokenizer.decode_bytes([token]) for token in ids],
        special=[token for token in ids if tokenizer.is_special_token(token)],
        eos_tokens=tokenizer.eos_tokens,
        encode=tokenizer.tokenize_str,
    )


class _Wrapped:
    """What llguidance asks of a tokenizer that is not Hugging Face's."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        ends = vocabulary.eos_tokens
        self.tokens = [*vocabulary.tokens, *vocabulary.hidden_tokens]
        self.special_token_ids = sorted(vocabulary.special)
        if not ends:  # it needs one; ends of sequence are ours to allow, so this one never is
            ends = (len(self.tokens),)
            self.tokens.append(b"<end>")
            self.special_token_ids.append(ends[0])
        self.eos_token_id = ends[0]

    def __call__(self, text: str) -> list[int]:
        return self._vocabulary.encode(text)


def _make_tokenizer(vocabulary: Vocabulary) -> "LLTokenizer":
    from llguidance import LLTokenizer

    return LLTokenizer(_Wrapped(vocabulary))  # type: ignore[arg-type]


def compile_source(source: Source, vocabulary: Vocabulary) -> "Compiled":
    """Compile a source, a JSON schema as the Lark grammar that it was made into, within llguidance's own limits.

    Raises BackendError for what it cannot read.
    """
    from llguidance import LLMatcher

    match source.kind:
        case Kind.REGEX:
            return Compiled(LLMatcher.grammar_from_regex(source.text), vocabulary)
        case Kind.JSON_SCHEMA:
            return Compiled(LLMatcher.grammar_from_lark(source.text), vocabulary, limits=_of_schemas())
        case Kind.LARK:
            return Compiled(LLMatcher.grammar_from_lark(source.text), vocabulary)
        case Kind.GBNF:
            return Compiled(LLMatcher.grammar_from_lark(lark_of(source.text)), vocabulary)


def _of_schemas() -> "LLParserLimits":
    """Room for what a schema may have at one place: some thousand names, or members of a union."""
    from llguidance import LLParserLimits

    return LLParserLimits(max_items_in_row=50_000, step_max_items=500_000)


class Compiled:
    """A grammar that llguidance has read; makes matchers by copying one that has not moved."""

    def __init__(
        self,
        grammar: str,
        vocabulary: Vocabulary,
        tokenizer: "LLTokenizer | None" = None,
        limits: "LLParserLimits | None" = None,
    ) -> None:
        """tokenizer: the vocabulary as llguidance has read it, by default made here. limits: other than its own.

        Raises BackendError, with llguidance's own words, for a grammar that it cannot read.
        """
        from llguidance import LLMatcher

        self.vocabulary = vocabulary
        self._tokenizer = tokenizer if tokenizer is not None else tokenizer_of(vocabulary)
        self._make: Callable[[], LLMatcher] = partial(LLMatcher, self._tokenizer, grammar, log_level=0, limits=limits)
        self._first = self._make()
        self._lock = threading.Lock()
        if self._first.is_error():
            raise BackendError(_reason(self._first))

    @property
    def warnings(self) -> list[str]:
        """What a lenient grammar leaves out."""
        return self._first.get_grammar_warnings()

    @property
    def num_tokens(self) -> int:
        """Tokens of llguidance's own bitmask: the vocabulary's, and those for bytes."""
        return self._tokenizer.vocab_size

    def copy(self) -> "LLMatcher":
        """An LLMatcher at the start.

        Copies share an automaton that grows with the texts they read, up to a limit of llguidance's. Then all of them
        take nothing more, at first without an error; so a copy is tried before it is given away.
        """
        with self._lock:  # two threads at once would get "Already borrowed"
            tried = self._first.deep_copy()
            tried.compute_bitmask()
            if tried.is_error():
                self._first = self._make()
            return self._first.deep_copy()

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""
        return LLGuidanceMatcher(self, eos_tokens)


class LLGuidanceMatcher(Matcher):
    """A matcher on llguidance."""

    def __init__(self, compiled: Compiled, eos_tokens: Iterable[int]) -> None:
        super().__init__(compiled.vocabulary, eos_tokens)
        self._compiled = compiled
        self._inner = compiled.copy()
        self._words = np.zeros(num_words(compiled.num_tokens), np.int32)

    def _mask(self, row: BitmaskArray) -> None:
        words = self._words
        self._inner.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        self._check()
        row[:] = words[: row.size]

    def _push(self, token: int) -> bool:
        # validate, then consume: `consume_token` would leave an illegal token's error in the matcher for good
        pushed = self._inner.try_consume_tokens([token]) == 1
        self._check()
        return pushed

    def _push_bytes(self, text: bytes) -> int:
        # Bytes that UTF-8 does not have may be unknown here, and end what can be pushed.
        tokens = [self.vocabulary.byte_tokens[byte] for byte in text]
        known = list(itertools.takewhile(lambda token: token < self._compiled.num_tokens, tokens))
        pushed = self._inner.try_consume_tokens(known)
        if pushed < len(known):  # no text goes on so, or the automaton is full; only a mask tells which
            self._inner.compute_bitmask()
        self._check()
        return pushed

    def _pop(self, num_steps: int) -> None:
        self._inner.rollback(num_steps)
        self._check()

    def _accepting(self) -> bool:
        accepting = self._inner.is_accepting()
        self._check()
        return accepting

    def _forced(self) -> bytes:
        forced = self._inner.compute_ff_bytes()
        self._check()
        return forced

    def _restart(self) -> None:
        self._inner = self._compiled.copy()

    def _check(self) -> None:
        if self._inner.is_error():
            raise BackendError(_reason(self._inner))


def _reason(matcher: "LLMatcher") -> str:
    """What has gone wrong, without the parser's state that may follow on many lines."""
    return matcher.get_error().partition("\n<")[0].strip()
