"""xgrammar: GBNF and fast masks, by name only, for much of JSON Schema it ignores without a word.

Compiling has no limit of its own (a string of at most 256 characters takes seconds), so it happens in a worker only.
Two threads in one GrammarMatcher end the process; `Matcher` lets one in at a time.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.limits import Limits
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.source import SEPARATORS, Kind, Source
from ngramspec.guards.types import BackendError, BitmaskArray
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.frames import packed
from ngramspec.guards.workers.making import Notes, question, read_answer
from ngramspec.guards.workers.pool import Pool, Told

if TYPE_CHECKING:
    from xgrammar import CompiledGrammar, TokenizerInfo

SLOW_SHARE = 1
"""A byte may take all of a step's time: xgrammar lets other threads go on meanwhile."""
NO_MEMORY = "std::bad_alloc"
"""What xgrammar says where it gets no memory."""

P = ParamSpec("P")
T = TypeVar("T")


def tokenizer_of(vocabulary: Vocabulary) -> "TokenizerInfo":
    """The vocabulary as xgrammar reads it; raises ImportError without xgrammar."""
    return vocabulary.once("xgrammar", partial(make_tokenizer, texts_of(vocabulary)))


def texts_of(vocabulary: Vocabulary) -> list[bytes]:
    """The bytes of each token, none for special ones, which xgrammar then never allows."""
    return [b"" if token in vocabulary.special else text for token, text in enumerate(vocabulary.tokens)]


def vocabulary_of(tokenizer: "TokenizerInfo") -> Vocabulary:
    """The tokens that xgrammar knows, and their bytes; how text is cut into them it does not know."""
    return Vocabulary(tokenizer.decoded_vocab, special=tokenizer.special_token_ids)


def make_tokenizer(texts: list[bytes]) -> "TokenizerInfo":
    """xgrammar's form of a vocabulary. It is told of no end of sequence: ends are ours to allow."""
    try:
        from xgrammar import TokenizerInfo, VocabType
    except ImportError as error:
        raise ImportError("backend='xgrammar' needs xgrammar: pip install 'ngramspec[xgrammar]'") from error
    return TokenizerInfo(texts, VocabType.RAW, stop_token_ids=[])


_METHODS = {Kind.JSON_SCHEMA: "json_schema", Kind.REGEX: "regex", Kind.LARK: "lark", Kind.GBNF: "grammar"}


_POOL = Pool("xgrammar", most=2)


def compile_source(source: Source, vocabulary: Vocabulary, limits: Limits) -> tuple["Compiled", Notes, int]:
    """The compiled grammar, what there is to say of it, and the bytes that it holds.

    Raises NotMadeError, and BackendError for what cannot be compiled within the limits.
    """
    tokenizer = tokenizer_of(vocabulary)
    from xgrammar import CompiledGrammar

    told = Told(vocabulary.fingerprint, partial(_packed, vocabulary))
    serialized, notes = read_answer(
        _POOL.ask(question(source, {"max_step_microseconds": int(1e6 * limits.max_step_seconds)}), limits, told)
    )
    grammar = CompiledGrammar.deserialize_json(serialized.decode(), tokenizer)
    return Compiled(grammar, vocabulary, limits), notes, int(grammar.memory_size_bytes)


def arguments_of(source: Source) -> tuple[str, str, dict[str, object]]:
    """What xgrammar's compiler is asked for `source`, which is prepared: the kind, the text, the options."""
    # "%llguidance {}" says that a text is llguidance's Lark; without options it asks for nothing.
    text = re.sub(r"(?m)^[ \t]*%llguidance[ \t]*\{[ \t]*\}[ \t]*$", "", source.text)
    options: dict[str, object] = {}
    if source.kind is Kind.JSON_SCHEMA:
        separators = SEPARATORS.get(source.whitespace)
        options = {"strict_mode": False, "any_whitespace": separators is None}
        options |= {"separators": separators} if separators else {}
    return _METHODS[source.kind], text, options


def _packed(vocabulary: Vocabulary) -> bytes:
    """The bytes of each token, to be sent: their lengths, and all in a row."""
    texts = texts_of(vocabulary)
    return packed([b"".join(len(text).to_bytes(4, "little") for text in texts), b"".join(texts)])


class Compiled:
    """A grammar that xgrammar has compiled; immutable, and shared by its matchers."""

    def __init__(self, grammar: "CompiledGrammar", vocabulary: Vocabulary, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        """limits: of each step."""
        self.vocabulary = vocabulary
        self.grammar = grammar
        self.limits = limits

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""
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
        # To xgrammar a token without bytes is special, and it would write to stderr that it does not take those.
        text = self.vocabulary.tokens[token]
        if text == b"" or token in self.vocabulary.special:
            return False
        if self._pace.needs_look(len(text)):
            self._look_at(text)
        return self._pace.step(len(text), called, self._inner.accept_token, token)

    def _look_at(self, text: bytes) -> None:
        """Read a token byte by byte on trial, so that a slow one is known before it is read at once."""
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
        except UnicodeDecodeError:  # what is forced begins, or ends, inside a character
            return b""

    def _restart(self) -> None:
        self._inner.reset()


def called(call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What xgrammar answers. Raises BackendError where it cannot, with its words, and MemoryError."""
    try:
        return call(*arguments, **options)
    except RuntimeError as error:
        words = str(error).partition("\n")[0]
        raise (MemoryError() if words == NO_MEMORY else BackendError(words)) from error
