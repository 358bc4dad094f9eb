"""xgrammar: GBNF and fast masks, used only by name, because it silently ignores much of JSON Schema.

Compilation has no limit of its own (a string of at most 256 characters takes seconds), so it runs in a worker only.
Two threads in one GrammarMatcher crash the process; `Matcher` admits one at a time.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.limits import Limits
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.source import SEPARATORS, Language, Source
from ngramspec.guards.types import BackendError, BitmaskArray
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.frames import packed
from ngramspec.guards.workers.pool import Pool, SentVocabulary
from ngramspec.guards.workers.preparing import STEP_SECONDS, Notes, read_answer, request_message

if TYPE_CHECKING:
    from xgrammar import CompiledGrammar, GrammarMatcher, TokenizerInfo

SLOW_SHARE = 1
"""A byte may take all of a step's time: xgrammar lets other threads continue meanwhile."""
NO_MEMORY = "std::bad_alloc"
"""xgrammar's messages when it gets no memory."""

P = ParamSpec("P")
T = TypeVar("T")


def tokenizer_of(vocabulary: Vocabulary) -> "TokenizerInfo":
    """The vocabulary in xgrammar's form. Raises ImportError without xgrammar."""
    return vocabulary.once("xgrammar", partial(make_tokenizer, texts_of(vocabulary)))


def texts_of(vocabulary: Vocabulary) -> list[bytes]:
    """The bytes of each token; empty for special ones, which xgrammar then never allows."""
    return [b"" if token in vocabulary.special else text for token, text in enumerate(vocabulary.tokens)]


def vocabulary_of(tokenizer: "TokenizerInfo") -> Vocabulary:
    """The tokens that xgrammar knows, and their bytes; it does not know how text is tokenised."""
    return Vocabulary(tokenizer.decoded_vocab, special=tokenizer.special_token_ids)


def make_tokenizer(texts: list[bytes]) -> "TokenizerInfo":
    """xgrammar's form of a vocabulary, without an end of sequence: `Matcher` decides about ends."""
    try:
        from xgrammar import TokenizerInfo, VocabType
    except ImportError as error:
        raise ImportError("backend='xgrammar' needs xgrammar: pip install 'ngramspec[xgrammar]'") from error
    return TokenizerInfo(texts, VocabType.RAW, stop_token_ids=[])


_METHODS = {
    Language.JSON_SCHEMA: "json_schema",
    Language.REGEX: "regex",
    Language.LARK: "lark",
    Language.GBNF: "grammar",
}


_POOL = Pool("xgrammar", most=2)


def compile_source(source: Source, vocabulary: Vocabulary, limits: Limits) -> tuple["Compiled", Notes, int]:
    """The compiled grammar, the notes on it, and its size in bytes.

    Raises NotCompiledError if the source is refused, BackendError if it cannot be compiled within the limits.
    """
    tokenizer = tokenizer_of(vocabulary)
    from xgrammar import CompiledGrammar

    sent = SentVocabulary(vocabulary.fingerprint, partial(_packed, vocabulary))
    serialized, notes = read_answer(
        _POOL.ask(request_message(source, {STEP_SECONDS: limits.max_step_seconds}), limits, sent)
    )
    grammar = CompiledGrammar.deserialize_json(serialized.decode(), tokenizer)
    return Compiled(grammar, vocabulary, limits), notes, int(grammar.memory_size_bytes)


def arguments_of(source: Source) -> tuple[str, str, dict[str, object]]:
    """Arguments of xgrammar's compiler for a prepared `source`: the method, the text, the options."""
    # "%llguidance {}" marks a text as llguidance's Lark; with no options in it, it has no other effect.
    text = re.sub(r"(?m)^[ \t]*%llguidance[ \t]*\{[ \t]*\}[ \t]*$", "", source.text)
    options: dict[str, object] = {}
    if source.language is Language.JSON_SCHEMA:
        separators = SEPARATORS.get(source.whitespace)
        options = {"strict_mode": False, "any_whitespace": separators is None}
        options |= {"separators": separators} if separators else {}
    return _METHODS[source.language], text, options


def _packed(vocabulary: Vocabulary) -> bytes:
    """The bytes of each token as a message: their lengths, then all bytes."""
    texts = texts_of(vocabulary)
    return packed([b"".join(len(text).to_bytes(4, "little") for text in texts), b"".join(texts)])


class Compiled:
    """A grammar that xgrammar has compiled; immutable, and shared by its matchers."""

    def __init__(self, grammar: "CompiledGrammar", vocabulary: Vocabulary, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        """limits: for each step."""
        self.vocabulary = vocabulary
        self.grammar = grammar
        self.limits = limits

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, in its start state."""
        return XGrammarMatcher(self, eos_tokens)


class XGrammarMatcher(Matcher):
    """A matcher on xgrammar."""

    def __init__(self, compiled: Compiled, eos_tokens: Iterable[int]) -> None:
        from xgrammar import GrammarMatcher

        super().__init__(compiled.vocabulary, eos_tokens)
        self._inner = called(GrammarMatcher, compiled.grammar)
        self._pace = Pace(compiled.limits.max_step_seconds, SLOW_SHARE)

    def _mask(self, row: BitmaskArray) -> None:
        if not self._pace.mask(called, self._inner.fill_next_token_bitmask, row[None]):
            row[:] = -1  # "no need to apply it" leaves the row unwritten

    def _push(self, token: int) -> bool:
        # xgrammar treats a token without bytes as special, and would complain about it on stderr.
        text = self.vocabulary.tokens[token]
        if text == b"" or token in self.vocabulary.special:
            return False
        if self._pace.needs_look(len(text)):
            self._look_at(text)
        return self._pace.step(len(text), called, self._inner.accept_token, token)

    def _look_at(self, text: bytes) -> None:
        """Read a token byte by byte on trial, so that a slow one is noticed before it is read as a whole."""
        num_read, seconds = 0, 0.0
        for byte in text:
            is_read, more = self._pace.look(called, self._inner.accept_string, bytes([byte]))
            seconds += more
            if not is_read:
                break
            num_read += 1
        self._pace.look(called, self._inner.rollback, num_read)
        self._pace.check(seconds)

    def _push_bytes(self, text: bytes) -> int:
        for num_pushed, byte in enumerate(text):
            if not self._pace.step(1, called, self._inner.accept_string, bytes([byte])):
                return num_pushed
        return len(text)

    def _pop(self, num_steps: int) -> None:
        called(self._inner.rollback, num_steps)

    def _accepting(self) -> bool:
        return bool(called(self._inner.is_completed))

    def _forced(self) -> bytes:
        try:
            return called(self._inner.find_jump_forward_string).encode()
        except UnicodeDecodeError:  # the forced bytes begin or end inside a character
            return b""

    def _restart(self) -> None:
        self._inner.reset()


class XGrammarFollower(XGrammarMatcher):
    """A matcher that stands where another engine's GrammarMatcher stands; it need not know the grammar.

    It works on copies: that one is never moved. See `guards.Follower`.
    """

    def __init__(
        self,
        fork: "Callable[[], GrammarMatcher]",
        vocabulary: Vocabulary,
        eos_tokens: Iterable[int],
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        """fork: the method of the followed GrammarMatcher. vocabulary: the one that it was made for."""
        Matcher.__init__(self, vocabulary, eos_tokens)
        self._fork = fork
        self._pace = Pace(limits.max_step_seconds, SLOW_SHARE)
        self.follow()

    @property
    def matcher(self) -> Matcher:
        """Itself."""
        return self

    def follow(self) -> None:
        """See `guards.Follower`."""
        self.ended = False
        self._restart()

    def fresh(self) -> "XGrammarFollower":
        """See `guards.Follower`."""
        return XGrammarFollower(self._forked_at_start, self.vocabulary, self.eos_tokens)

    def _restart(self) -> None:
        self._inner = called(self._fork)

    def _forked_at_start(self) -> "GrammarMatcher":
        copy = self._fork()
        copy.reset()
        return copy


def called(call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """The result of a call into xgrammar. Raises BackendError with xgrammar's message, or MemoryError."""
    try:
        return call(*arguments, **options)
    except RuntimeError as error:
        words = str(error).partition("\n")[0]
        raise (MemoryError() if words == NO_MEMORY else BackendError(words)) from error
