"""What a guard knows of a tokenizer: the bytes of each token, and how text is cut into tokens."""

import hashlib
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from ngramspec.errors import shortened

T = TypeVar("T")


class Vocabulary:
    """The tokens of a tokenizer, as bytes.

    tokens: the bytes of each id; of a special token those of its name, such as `<tool_call>`.
    special: ids that are no text: a grammar of bytes never allows them.
    eos_tokens: the tokenizer's own ends of sequence.
    fingerprint: a digest of all this; guards, caches and files that were made with one vocabulary refuse another.
    """

    def __init__(
        self,
        tokens: Sequence[bytes],
        *,
        special: Iterable[int] = (),
        eos_tokens: Iterable[int] = (),
        encode: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        """encode: the tokenizer's own way to cut text into tokens; by default the longest token comes first.

        Raises ValueError where a special token or an end of sequence is no token.
        """
        self.tokens = tuple(tokens)
        self.eos_tokens = tuple(eos_tokens)
        self.special = frozenset(special) | frozenset(self.eos_tokens)
        unknown = sorted(token for token in self.special if not 0 <= token < len(self.tokens))
        if unknown:
            raise ValueError(f"special tokens must be ids from 0 to {len(self.tokens) - 1}, got {shortened(unknown)}")
        self._encode = encode
        self._built: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """Tokens, special ones included."""
        return len(self.tokens)

    def __repr__(self) -> str:
        """As error messages name it."""
        return f"<Vocabulary of {len(self)} tokens, {self.fingerprint[:12]}>"

    @classmethod
    def of(cls, tokenizer: Any) -> "Vocabulary":
        """The vocabulary of a fast tokenizer of transformers, of anything with a `vocabulary`, or itself.

        The same tokenizer gives the same object for as long as it lives and nothing is added to it.
        Raises TypeError for what has no vocabulary that can be read.
        """
        if isinstance(tokenizer, cls):
            return tokenizer
        own = getattr(tokenizer, "vocabulary", None)
        if isinstance(own, cls):
            return own
        with _lock:
            known = _known.get(tokenizer) if hasattr(tokenizer, "__weakref__") else None
            state = (_size(tokenizer), getattr(tokenizer, "eos_token_id", None))
            if known is None or known[0] != state:
                known = (state, _read(tokenizer))
                _known[tokenizer] = known
            return known[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the tokens, of which of them are special, and of which end a sequence."""
        digest = hashlib.sha256()
        for token in self.tokens:
            digest.update(len(token).to_bytes(4, "little") + token)
        digest.update(repr((sorted(self.special), sorted(self.eos_tokens))).encode())
        return digest.hexdigest()

    @cached_property
    def byte_tokens(self) -> dict[int, int]:
        """An id for each byte. Bytes that no token is alone have ids behind the vocabulary's own, for backends only."""
        found: dict[int, int] = {}
        for token, text in enumerate(self.tokens):
            if len(text) == 1 and token not in self.special:
                found.setdefault(text[0], token)
        missing = (byte for byte in range(256) if byte not in found)
        return found | {byte: len(self) + index for index, byte in enumerate(missing)}

    @property
    def hidden_tokens(self) -> list[bytes]:
        """The bytes of the ids behind the vocabulary's own, in order."""
        return [bytes([byte]) for byte, token in self.byte_tokens.items() if token >= len(self)]

    @cached_property
    def ordered(self) -> list[tuple[bytes, int]]:
        """All tokens in the order of their bytes, those of special ones included: for looking up beginnings."""
        return sorted((text, token) for token, text in enumerate(self.tokens) if text)

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes of `tokens`; an id behind the vocabulary has none."""
        return b"".join(self.tokens[token] for token in tokens if 0 <= token < len(self.tokens))

    def encode(self, text: str) -> list[int]:
        """`text` as the tokenizer cuts it, without special tokens."""
        return list(self._encode(text)) if self._encode is not None else self._longest_first(text.encode())

    def once(self, name: str, build: Callable[[], T]) -> T:
        """What `build` makes of this vocabulary, made once: a backend's own form of it."""
        with self._lock:
            if name not in self._built:
                self._built[name] = build()
            built: T = self._built[name]
            return built

    def _longest_first(self, text: bytes) -> list[int]:
        found: list[int] = []
        while text:
            length = min(len(text), self._longest)
            while length > 1 and text[:length] not in self._ids:
                length -= 1
            token = self._ids.get(text[:length])
            if token is None:
                token = self.byte_tokens[text[0]]
            found.append(token)
            text = text[length:]
        return found

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        ids: dict[bytes, int] = {}
        for token, text in enumerate(self.tokens):
            if text and token not in self.special:
                ids.setdefault(text, token)
        return ids

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._ids), default=1)


_known: "weakref.WeakKeyDictionary[Any, tuple[Any, Vocabulary]]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _size(tokenizer: Any) -> int | None:
    return len(tokenizer) if hasattr(tokenizer, "__len__") else None


def _read(tokenizer: Any) -> Vocabulary:
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise TypeError(
            "a guard reads the tokens of a fast tokenizer of transformers or of a Vocabulary,"
            f" got {type(tokenizer).__name__}: load it with AutoTokenizer, or pass Vocabulary(tokens)"
        )
    from llguidance import hf

    # llguidance knows what each kind of tokenizer writes for a byte; nobody has to write that down again.
    read = hf.from_tokenizer(tokenizer)
    ids = range(read.vocab_size)
    eos = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    vocabulary = Vocabulary(
        [read.decode_bytes([token]) for token in ids],
        special=[token for token in ids if read.is_special_token(token)],
        eos_tokens=eos,
        encode=read.tokenize_str,
    )
    if all(len(token) == 1 and token[0] > LAST_OF_UTF8 for token in vocabulary.hidden_tokens):
        vocabulary.once("llguidance", lambda: read)
    return vocabulary


LAST_OF_UTF8 = 0xF4
"""Bytes above it never occur in text."""
