"""`Vocabulary`: what guards need of a tokenizer, which is the bytes of each token and a way to tokenise text."""

import hashlib
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import index
from typing import Any, TypeVar

from ngramspec import forking
from ngramspec.errors import shortened
from ngramspec.guards.tokenizers import read

T = TypeVar("T")


class Vocabulary:
    """The tokens of a tokenizer, as bytes.

    tokens: the bytes of each id; for a special token, those of its name, such as `<tool_call>`.
    special: ids that are not text: a grammar of bytes never allows them.
    eos_tokens: the tokenizer's own ends of sequence. padding: ids that only pad a prompt.
    fingerprint: a digest of all but the padding. Guards, caches and files made with one vocabulary refuse another.
    """

    def __init__(
        self,
        tokens: Sequence[bytes],
        *,
        special: Iterable[int] = (),
        eos_tokens: Iterable[int] = (),
        padding: Iterable[int] = (),
        encode: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        """encode: the tokenizer's own `encode`; default: the fewest tokens possible.

        Raises ValueError if there is no token, or a special token or end of sequence is not an id of one; TypeError if
        tokens are not bytes.
        """
        self.tokens = tuple(tokens)
        wrong = next((token for token in self.tokens if not isinstance(token, bytes)), None)
        if wrong is not None or not self.tokens:
            raise (ValueError if wrong is None else TypeError)(
                f"tokens must be at least one, each as bytes, got {shortened(self.tokens if wrong is None else wrong)}"
            )
        self.eos_tokens = tuple(_ids("eos_tokens", eos_tokens))
        self.padding = frozenset(_ids("padding", padding))
        self.special = frozenset(_ids("special", special)) | frozenset(self.eos_tokens)
        unknown = sorted(token for token in self.special if not 0 <= token < len(self.tokens))
        if unknown:
            raise ValueError(f"special tokens must be ids from 0 to {len(self.tokens) - 1}, got {shortened(unknown)}")
        self._encode = encode
        self._built: dict[str, Any] = {}
        self._lock = forking.rlock(is_held_long=True)

    def __len__(self) -> int:
        """Number of tokens, special ones included."""
        return len(self.tokens)

    def __repr__(self) -> str:
        """As error messages name it."""
        return f"<Vocabulary of {len(self)} tokens, {self.fingerprint[:12]}>"

    @classmethod
    def of(cls, tokenizer: Any) -> "Vocabulary":
        """The vocabulary of a fast tokenizer of transformers, of tekken, of anything with a `vocabulary`, or itself.

        Tokens added to a tokenizer are special, whatever it calls them. Normalisation before tokenising, such as
        lower-casing, does not matter: guarded text comes token by token.
        The same tokenizer gives the same object as long as it lives and nothing is added to it.
        Raises TypeError for a tokenizer that does not tell the bytes of its tokens.
        """
        if isinstance(tokenizer, cls):
            return tokenizer
        own = getattr(tokenizer, "vocabulary", None)
        if isinstance(own, cls):
            return own
        with _lock:
            state = _state(tokenizer)
            known = _known.get(tokenizer) if hasattr(tokenizer, "__weakref__") else None
            if known is None or known[0] != state:
                known = (state, cls(**read(tokenizer)._asdict()))
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
    def cutting(self) -> str:
        """SHA-256 of the tokenisation of some texts: masks of forced text depend on it too."""
        return hashlib.sha256(repr([self.encode(text) for text in _PROBES]).encode()).hexdigest()

    @cached_property
    def last_text(self) -> int:
        """The last id that is text; -1 if there is none."""
        return next((token for token in reversed(range(len(self))) if token not in self.special), -1)

    @cached_property
    def byte_tokens(self) -> dict[int, int]:
        """An id for each byte. A byte that is not a token has an id beyond the vocabulary, for backends only."""
        found: dict[int, int] = {}
        for token, text in enumerate(self.tokens):
            if len(text) == 1 and token not in self.special:
                found.setdefault(text[0], token)
        missing = (byte for byte in range(256) if byte not in found)
        return found | {byte: len(self) + index for index, byte in enumerate(missing)}

    @property
    def hidden_tokens(self) -> list[bytes]:
        """The bytes of the ids beyond the vocabulary, in order."""
        return [bytes([byte]) for byte, token in self.byte_tokens.items() if token >= len(self)]

    @cached_property
    def ordered(self) -> list[tuple[bytes, int]]:
        """All tokens, special ones included, sorted by their bytes: for prefix lookups."""
        return sorted((text, token) for token, text in enumerate(self.tokens) if text)

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes of `tokens`; an id beyond the vocabulary has none."""
        known, ids = self.tokens, list(tokens)
        if ids and (min(ids) < 0 or max(ids) >= len(known)):
            ids = [token for token in ids if 0 <= token < len(known)]
        return b"".join([known[token] for token in ids])

    def encode(self, text: str) -> list[int]:
        """`text` as the tokenizer tokenises it; if that changes the text or adds special tokens, the fewest tokens."""
        tokens = list(self._encode(text)) if self._encode is not None else []
        is_exact = self.special.isdisjoint(tokens) and self.decode(tokens) == text.encode()
        return tokens if is_exact else self._fewest(text.encode())

    def encode_bytes(self, text: bytes) -> list[int]:
        """As `encode`; bytes that are not text, such as half a character, become the fewest tokens."""
        try:
            return self.encode(text.decode())
        except UnicodeDecodeError:
            return self._fewest(text)

    def once(self, name: str, build: Callable[[], T]) -> T:
        """The result of `build`, made once for this vocabulary: a backend's own form of it."""
        with self._lock:
            if name not in self._built:
                self._built[name] = build()
            built: T = self._built[name]
            return built

    def _fewest(self, text: bytes) -> list[int]:
        """`text` in the fewest tokens, with as few as possible beyond the vocabulary."""
        hidden = len(text) + 1  # costs more than any number of tokens
        costs, lengths = [0] * (len(text) + 1), [1] * len(text)
        for start in reversed(range(len(text))):
            costs[start] = hidden + costs[start + 1]
            for length in range(min(self._longest, len(text) - start), 0, -1):
                if text[start : start + length] in self._ids and 1 + costs[start + length] < costs[start]:
                    costs[start], lengths[start] = 1 + costs[start + length], length
        found, start = [], 0
        while start < len(text):
            piece = text[start : start + lengths[start]]
            token = self._ids.get(piece)
            found.append(self.byte_tokens[piece[0]] if token is None else token)
            start += lengths[start]
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


def _ids(name: str, tokens: Any) -> list[int]:
    ids = list(tokens) if isinstance(tokens, Iterable) and not isinstance(tokens, str) else None
    if ids is None or not all(hasattr(token, "__index__") for token in ids):
        raise TypeError(f"{name} must be token ids, in a list, got {shortened(tokens)}")
    return [index(token) for token in ids]


_PROBES = (
    '{"name": "value", "items": [1, -2.5, true, null], "created_at": "2024-02-29T12:00:00Z"}\n',
    "The delivered invoices, international organisations and understanding; def __init__(self): return x != y",
    "".join(map(chr, range(33, 127))),
    "Zoë Müller ходит 東京 😀 e\u0301",
)

_known: "weakref.WeakKeyDictionary[Any, tuple[Any, Vocabulary]]" = weakref.WeakKeyDictionary()
_lock = forking.lock(is_held_long=True)


def _state(tokenizer: Any) -> tuple[object, ...]:
    """Changes when tokens are added, or when some become special."""
    size = len(tokenizer) if hasattr(tokenizer, "__len__") else None
    return (
        size,
        getattr(tokenizer, "eos_token_id", None),
        tuple(getattr(tokenizer, "all_special_ids", ())),
        getattr(tokenizer, "pad_token_id", None),
    )
