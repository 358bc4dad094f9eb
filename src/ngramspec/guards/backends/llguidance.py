"""llguidance: JSON schemas, regexes and Lark, compiled in milliseconds; the default.

An LLMatcher never raises: it enters an error state and stays in it, allowing its own end of sequence. So every call is
followed by a check of `is_error`.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ngramspec import forking
from ngramspec.guards.backends.gbnf import lark_of
from ngramspec.guards.backends.llguidance_masks import fill_all
from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.backends.stack import on_a_stack
from ngramspec.guards.filling import Filled
from ngramspec.guards.limits import Limits
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.source import Language, Source
from ngramspec.guards.types import BackendError, BitmaskArray, num_words
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.lark import read_lark
from ngramspec.guards.workers.pool import Pool
from ngramspec.guards.workers.preparing import STEP_SECONDS, Notes, read_answer, request_message

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer


def tokenizer_of(vocabulary: Vocabulary) -> "LLTokenizer":
    """The vocabulary as llguidance reads it, and after it an id for each byte that is not a token by itself."""
    return vocabulary.once("llguidance", partial(make_tokenizer, vocabulary))


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
    """The interface that llguidance expects of a tokenizer that is not Hugging Face's."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        ends = vocabulary.eos_tokens
        self.tokens = [*vocabulary.tokens, *vocabulary.hidden_tokens]
        self.special_token_ids = sorted(vocabulary.special)
        if not ends:  # it needs one, which is never allowed: only we allow ends of sequence
            ends = (len(self.tokens),)
            self.tokens.append(b"<end>")
            self.special_token_ids.append(ends[0])
        self.eos_token_id = ends[0]

    def __call__(self, text: str) -> list[int]:
        return self._vocabulary.encode(text)


def make_tokenizer(vocabulary: Vocabulary) -> "LLTokenizer":
    """llguidance's form of a vocabulary."""
    from llguidance import LLTokenizer

    return LLTokenizer(_Wrapped(vocabulary))  # type: ignore[arg-type]


_POOL = Pool("llguidance", most=8)

GRAMMAR_SHARE, MATCHER_BYTES = 8, 300_000
"""Estimated memory of a compiled grammar: this many bytes for each byte of its text, and this many more."""


def compile_source(source: Source, vocabulary: Vocabulary, limits: Limits) -> tuple["Compiled", Notes, int]:
    """The compiled grammar, the notes on it, and its estimated size in bytes.

    A worker compiles it first, and only then this process. Raises NotCompiledError if the source is refused,
    BackendError if it cannot be compiled within the limits.
    """
    answer = _POOL.ask(request_message(source, options_of(limits)), limits)
    text, notes = read_answer(answer)
    grammar = text.decode()
    return Compiled(grammar, vocabulary, limits=limits), notes, GRAMMAR_SHARE * len(text) + MATCHER_BYTES


def options_of(limits: Limits) -> dict[str, float]:
    """llguidance's own bounds, by its names, and the bound on a step's time, by which its worker tries a grammar."""
    return {
        STEP_SECONDS: limits.max_step_seconds,
        "max_items_in_row": limits.max_row_items,
        "step_max_items": limits.max_step_items,
        "step_lexer_fuel": limits.max_step_fuel,
        "max_lexer_states": limits.max_automaton_states,
    }


def limits_of(options: Mapping[str, float]) -> "LLParserLimits":
    """llguidance's own bounds among `options`, in its form."""
    from llguidance import LLParserLimits

    return LLParserLimits(**{name: int(value) for name, value in options.items() if name != STEP_SECONDS})  # type: ignore[arg-type]


def grammars_of(source: Source) -> tuple[str, str]:
    """A prepared `source` as llguidance takes it, and in a form to try on a vocabulary without special tokens.

    Raises BackendError for invalid GBNF, and UnsupportedError for what would not be enforced in Lark.
    """
    from llguidance import LLMatcher

    match source.language:
        case Language.JSON_SCHEMA:  # prepared, it is a grammar
            grammar = LLMatcher.grammar_from_lark(source.text)
        case Language.REGEX:
            grammar = LLMatcher.grammar_from_regex(source.text)
        case Language.GBNF:
            grammar = _listed(lark_of(source.text), {})
        case Language.LARK:
            lark = read_lark(source.text, "llguidance")
            return _listed(lark.text, lark.schemas), _listed(lark.on_trial, lark.schemas)
    return grammar, grammar


def _listed(lark: str, schemas: Mapping[str, str]) -> str:
    """A grammar in Lark, together with the prepared schemas that it refers to by name, which are grammars too."""
    named = {"lark_grammar": lark, **schemas}
    return json.dumps({"grammars": [{"name": name, "lark_grammar": text} for name, text in named.items()]})


MAX_PIECE, MAX_CHECKED = 16, 32
"""Most bytes that are read, or checked, in one call: llguidance blocks other threads meanwhile."""
UNMASKED = 2
"""Most bytes that are read without a mask, after reading them in one call has failed. A mask renews llguidance's fuel;
without it, the fuel runs out and legal text is refused."""


class Compiled:
    """A grammar that llguidance has read; makes matchers by copying one at its start."""

    def __init__(
        self,
        grammar: str,
        vocabulary: Vocabulary,
        tokenizer: "LLTokenizer | None" = None,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        """tokenizer: the vocabulary in llguidance's form; default: made here. limits: of each step.

        Raises BackendError, with llguidance's message, for a grammar that it cannot read.
        """
        from llguidance import LLMatcher

        self.vocabulary = vocabulary
        self.limits = limits
        self.tokenizer = tokenizer if tokenizer is not None else tokenizer_of(vocabulary)
        make = partial(LLMatcher, self.tokenizer, grammar, log_level=0, limits=limits_of(options_of(limits)))
        self._make: Callable[[], LLMatcher] = partial(on_a_stack, limits.max_stack_bytes, make)
        self._first = self._make()
        self._lock = forking.lock(is_held_long=True)
        if self._first.is_error():
            raise BackendError(reason(self._first))

    @property
    def num_tokens(self) -> int:
        """Tokens of llguidance's own bitmask: the vocabulary's, and those for bytes."""
        return self.tokenizer.vocab_size

    def copy(self) -> "LLMatcher":
        """An LLMatcher at the start.

        Copies share an automaton that grows with the texts they read, up to a limit of llguidance's. After that none of
        them accepts anything, at first without an error; so a copy is tried before one is returned.
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


class Copies(Protocol):
    """What a matcher is made from: `Compiled`, or an LLMatcher that it follows.

    num_tokens: of llguidance's own bitmask. limits: of each step.
    """

    vocabulary: Vocabulary
    tokenizer: "LLTokenizer"
    limits: Limits

    @property
    def num_tokens(self) -> int: ...  # noqa: D102

    def copy(self) -> "LLMatcher":
        """An LLMatcher for the new matcher."""


class LLGuidanceMatcher(Matcher):
    """A matcher on llguidance."""

    checks_fast = True

    def __init__(self, compiled: Copies, eos_tokens: Iterable[int]) -> None:
        super().__init__(compiled.vocabulary, eos_tokens)
        self._compiled = compiled
        self._inner = compiled.copy()
        self._is_second_try = False
        self._pace = Pace(compiled.limits.max_step_seconds)
        self._words = np.zeros(num_words(compiled.num_tokens), np.int32)

    @property
    def company(self) -> object:
        """See `Matcher`: those with the same tokens and the same ends of sequence."""
        return self._compiled.tokenizer, self.vocabulary, self.eos_tokens, self._compiled.limits

    @classmethod
    def fill_all(cls, matchers: "Sequence[LLGuidanceMatcher]", drafts: Sequence[list[int]]) -> list[Filled]:
        """See `Matcher`."""
        return fill_all(matchers, drafts)

    def _mask(self, row: BitmaskArray) -> None:
        words = self._words
        self._pace.mask(self._inner.unsafe_compute_mask_ptr, words.ctypes.data, words.nbytes)
        self._check()
        row[:] = words[: row.size]

    def _push(self, token: int) -> bool:
        # validate, then consume: `consume_token` would leave an illegal token's error in the matcher for good
        text = self.vocabulary.tokens[token]
        if self._pace.needs_look(len(text)) and token not in self.vocabulary.special:
            self._look_at(text)
        pushed = self._pace.step(len(text) or 1, self._inner.try_consume_tokens, [token]) == 1
        self._check()
        return pushed

    def _push_all(self, tokens: list[int]) -> int:
        sizes = self._sizes(tokens)
        num_pushed = 0
        while num_pushed < len(tokens):
            end = self._end_of_piece(sizes, num_pushed, MAX_PIECE)
            if end > num_pushed + 1:
                piece, num_bytes = tokens[num_pushed:end], sum(sizes[num_pushed:end])
                taken = self._pace.step(num_bytes or 1, self._inner.try_consume_tokens, piece)
                self._check()
            else:
                end = num_pushed + 1
                taken = int(self._push(tokens[num_pushed]))
            num_pushed += taken
            if num_pushed < end:
                break
        return num_pushed

    def _num_possible(self, pending: list[int], tokens: list[int]) -> int:
        sizes = self._sizes(tokens)
        num_bytes = sum(sizes)
        if num_bytes <= MAX_CHECKED and not self._pace.needs_look(2):
            return max(0, self._num_valid([*pending, *tokens], num_bytes) - len(pending))
        num_possible = 0
        while num_possible < len(tokens):
            end = self._end_of_piece(sizes, num_possible, MAX_CHECKED)
            if end == num_possible:  # a long token, or the last one was slow
                before = [*pending, *tokens[:num_possible]]
                return num_possible + Matcher._num_possible(self, before, tokens[num_possible:])
            num_valid = self._num_valid([*pending, *tokens[:end]], sum(sizes[num_possible:end])) - len(pending)
            num_possible = max(num_possible, num_valid)
            if num_possible < end:
                break
        return num_possible

    def _accepts_after(self, pending: list[int]) -> bool:
        if not pending or self._pace.needs_look(2):
            return Matcher._accepts_after(self, pending)
        tokens = [*pending, self._compiled.tokenizer.eos_token]
        return self._num_valid(tokens, sum(self._sizes(pending))) > len(pending)

    def _num_valid(self, tokens: list[int], num_bytes: int) -> int:
        """How many of `tokens` may be read; num_bytes: of the tokens that were not checked before."""
        inner = self._inner
        num_valid = self._pace.step(num_bytes or 1, inner.validate_tokens, tokens)
        if inner.is_error():
            raise BackendError(reason(inner))
        return num_valid

    def _sizes(self, tokens: list[int]) -> list[int]:
        """The bytes of each token."""
        texts = self.vocabulary.tokens
        return [len(texts[token]) for token in tokens]

    def _end_of_piece(self, sizes: list[int], start: int, most_bytes: int) -> int:
        """End of the tokens that may be read in one call from `start` on: `start` if the last token was slow."""
        if self._pace.needs_look(2):
            return start
        end, left = start, most_bytes
        for size in sizes[start:]:
            left -= size
            if left < 0:
                break
            end += 1
        return end

    def _push_bytes(self, text: bytes) -> int:
        # Bytes that never occur in UTF-8 may have no id here; nothing after one is pushed.
        tokens = [self.vocabulary.byte_tokens[byte] for byte in text]
        known = list(itertools.takewhile(lambda token: token < self._compiled.num_tokens, tokens))
        pushed, masked, size = 0, -1, 1
        while pushed < len(known):
            if self._is_second_try and pushed - masked >= UNMASKED:
                self._renew()
                masked = pushed
            piece = known[pushed : pushed + (min(size, UNMASKED) if self._is_second_try else size)]
            taken = self._pace.step(len(piece), self._inner.try_consume_tokens, piece)
            self._check()
            pushed += taken
            if taken < len(piece):
                if masked == pushed:
                    break  # no text continues like this
                self._renew()  # or the automaton is full, or the fuel is spent: a mask tells, and renews it
                masked = pushed
            size = 1 if self._pace.is_watched else min(2 * size, MAX_PIECE)
        return pushed

    def _renew(self) -> None:
        """Compute a mask: it gives llguidance as much fuel again as at the beginning of the text."""
        self._pace.mask(self._inner.compute_bitmask)
        self._check()

    def _look_at(self, text: bytes) -> None:
        """Try longer and longer parts of a token, so that a slow one is noticed before it is read as a whole."""
        known = [self.vocabulary.byte_tokens[byte] for byte in text]
        for length in self._pace.pieces(len(known)):
            self._pace.look(self._inner.validate_tokens, known[:length])

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
        self._is_second_try = True

    def _check(self) -> None:
        if self._inner.is_error():
            raise BackendError(reason(self._inner))


@dataclass(slots=True)
class Followed:
    """`Copies` of an LLMatcher of another engine: each stands where that one stands."""

    copy: "Callable[[], LLMatcher]"
    vocabulary: Vocabulary
    tokenizer: "LLTokenizer"
    limits: Limits

    @property
    def num_tokens(self) -> int:
        """See `Copies`."""
        return self.tokenizer.vocab_size


class LLGuidanceFollower(LLGuidanceMatcher):
    """A matcher that stands where another engine's LLMatcher stands; it need not know the grammar.

    It works on copies: that one is never moved. See `guards.Follower`.
    """

    def __init__(
        self,
        copy: "Callable[[], LLMatcher]",
        vocabulary: Vocabulary,
        eos_tokens: Iterable[int],
        tokenizer: "LLTokenizer",
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        """copy: `deep_copy` of the followed LLMatcher. vocabulary, tokenizer: those that it was made for."""
        super().__init__(Followed(copy, vocabulary, tokenizer, limits), eos_tokens)

    @property
    def matcher(self) -> Matcher:
        """Itself."""
        return self

    def follow(self) -> None:
        """See `guards.Follower`."""
        self.ended = False
        self._inner = self._compiled.copy()

    def fresh(self) -> "LLGuidanceFollower":
        """See `guards.Follower`."""
        return LLGuidanceFollower(self._copied_at_start, self.vocabulary, self.eos_tokens, self._compiled.tokenizer)

    def _copied_at_start(self) -> "LLMatcher":
        copy = self._compiled.copy()
        copy.reset()
        return copy


def reason(matcher: "LLMatcher") -> str:
    """The error message, without the many lines of parser state that may follow it."""
    return matcher.get_error().partition("\n<")[0].strip()
