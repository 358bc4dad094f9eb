"""Languages of bytes, slow and obvious: regular ones by derivatives (Brzozowski 1964), and phases by their definition.

A text is a tuple of integers: bytes, and for the name of a special token byte + SPECIAL, or + INSIDE from its second
byte on. `alive`: whether the text can be continued to a complete one. `whole`: whether it is complete.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

SPECIAL, INSIDE = 256, 512

Text = tuple[int, ...]


class Language(Protocol):
    """What may be said."""

    def alive(self, text: Text) -> bool:
        """Whether `text` can go on to a whole one."""

    def whole(self, text: Text) -> bool:
        """Whether `text` is a whole one."""


# Regular languages. None is the empty one, which nothing else here is, so what is not None is alive.


@dataclass(frozen=True)
class Byte:
    value: int


@dataclass(frozen=True)
class Both:
    """One after the other; none is the empty text."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class Either:
    parts: "frozenset[Node]"


@dataclass(frozen=True)
class Star:
    """As often as one likes."""

    part: "Node"


Node = Byte | Both | Either | Star


def both(*parts: Node | None) -> Node | None:
    if any(part is None for part in parts):
        return None
    return parts[0] if len(parts) == 1 else Both(tuple(part for part in parts if part is not None))


def either(*parts: Node | None) -> Node | None:
    found = frozenset(part for part in parts if part is not None)
    return next(iter(found)) if len(found) == 1 else Either(found) if found else None


NOTHING_MORE = Both(())


@lru_cache(maxsize=100_000)
def is_whole(node: Node) -> bool:
    match node:
        case Byte():
            return False
        case Both(parts):
            return all(is_whole(part) for part in parts)
        case Either(options):
            return any(is_whole(option) for option in options)
        case Star():
            return True


@lru_cache(maxsize=100_000)
def after_byte(node: Node, value: int) -> Node | None:
    match node:
        case Byte(own):
            return NOTHING_MORE if own == value else None
        case Both(()):
            return None
        case Both((first, *rest)):
            found = both(after_byte(first, value), *rest)
            return either(found, after_byte(Both(tuple(rest)), value)) if is_whole(first) else found
        case Either(options):
            return either(*(after_byte(option, value) for option in options))
        case Star(part):
            return both(after_byte(part, value), node)
    raise AssertionError


@dataclass(frozen=True)
class Regular:
    """A regular language, and the pattern that says the same to an engine."""

    pattern: str
    node: Node
    _known: dict[Text, Node | None] = field(default_factory=dict, compare=False, repr=False)

    def alive(self, text: Text) -> bool:
        return self._after(text) is not None

    def whole(self, text: Text) -> bool:
        found = self._after(text)
        return found is not None and is_whole(found)

    def _after(self, text: Text) -> Node | None:
        if not text:
            return self.node
        if text not in self._known:
            before = self._after(text[:-1])
            self._known[text] = None if before is None else after_byte(before, text[-1])
        return self._known[text]


# Patterns have no needless parentheses: llguidance panics on some (tests/testing/test_upstream.py).


def grouped(part: Regular, kinds: tuple[type, ...]) -> str:
    return f"({part.pattern})" if isinstance(part.node, kinds) else part.pattern


def literal(text: str) -> Regular:
    return Regular(text, Both(tuple(map(Byte, text.encode()))))


def sequence(*parts: Regular) -> Regular:
    return Regular("".join(grouped(part, (Either,)) for part in parts), Both(tuple(part.node for part in parts)))


def choice(*parts: Regular) -> Regular:
    return Regular("|".join(part.pattern for part in parts), Either(frozenset(part.node for part in parts)))


def repeated(part: Regular) -> Regular:
    return Regular(f"({part.pattern})*", Star(part.node))


def optional(part: Regular) -> Regular:
    return Regular(f"({part.pattern})?", Either(frozenset({part.node, NOTHING_MORE})))


# Phases.


def plain(text: Text) -> bytes:
    return bytes(value % SPECIAL for value in text)


def ends_with(text: Text, marker: bytes) -> bool:
    return plain(text).endswith(marker)


@dataclass(frozen=True)
class After:
    """Free text up to the first marker, and `inner` from there."""

    marker: bytes
    inner: Language

    def alive(self, text: Text) -> bool:
        rest = after_first(text, self.marker)
        return rest is None or (is_at_a_token(rest) and self.inner.alive(rest))

    def whole(self, text: Text) -> bool:
        rest = after_first(text, self.marker)
        return rest is not None and is_at_a_token(rest) and self.inner.whole(rest)


@dataclass(frozen=True)
class Opened:
    """`opening`, free text up to the first marker, and `inner` from there; or `inner` alone."""

    opening: bytes
    after: After

    def alive(self, text: Text) -> bool:
        if self.opening.startswith(plain(text)):
            return True
        return self._own(text).alive(self._rest(text))

    def whole(self, text: Text) -> bool:
        return self._own(text).whole(self._rest(text))

    def _own(self, text: Text) -> Language:
        return self.after if self._is_opened(text) else self.after.inner

    def _rest(self, text: Text) -> Text:
        return text[len(self.opening) :] if self._is_opened(text) else text

    def _is_opened(self, text: Text) -> bool:
        return plain(text).startswith(self.opening)


@dataclass(frozen=True)
class Between:
    """Free text, and `inner` between markers; an end counts where what is before it is whole."""

    start: bytes
    end: bytes
    inner: Language

    def alive(self, text: Text) -> bool:
        region = self._last_region(text)
        if region is None:
            return True
        if not is_at_a_token(region):
            return False
        return self.inner.alive(region) or any(
            self._may_end_at(region, cut) and self.end.startswith(plain(region[cut:])) for cut in range(len(region))
        )

    def whole(self, text: Text) -> bool:
        return self._last_region(text) is None

    def _last_region(self, text: Text) -> Text | None:
        """What has come since the last start, None where the text is free."""
        while (region := after_first(text, self.start)) is not None:
            ends = [
                stop
                for stop in range(len(self.end), len(region) + 1)
                if ends_with(region[:stop], self.end) and self._may_end_at(region, stop - len(self.end))
            ]
            if not ends or not is_at_a_token(region):
                return region
            text = region[ends[0] :]
        return None

    def _may_end_at(self, region: Text, cut: int) -> bool:
        return is_at_a_token(region[cut:]) and self.inner.whole(region[:cut])


def after_first(text: Text, marker: bytes) -> Text | None:
    """The text after the first marker; None if there is none."""
    index = plain(text).find(marker)
    return None if index < 0 else text[index + len(marker) :]


def is_at_a_token(text: Text) -> bool:
    """Whether `text` does not begin inside the name of a special token, which is all or nothing to a grammar."""
    return not text or text[0] < INSIDE
