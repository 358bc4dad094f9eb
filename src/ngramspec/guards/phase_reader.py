"""Reading text that is free for a while and guarded for a while, token by token and byte by byte."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ngramspec.guards.markers import EndMarker, Marker
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.prompts import Part
from ngramspec.guards.vocabulary import Vocabulary


class Inner:
    """A matcher, and how often it was pushed: so it can be taken back to where it was."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.depth = 0

    def push(self, token: int) -> bool:
        """Go on with `token`; returns whether it could."""
        accepted = self.matcher._push(token)
        self.depth += accepted
        return accepted

    def push_byte(self, byte: int) -> bool:
        """Go on with `byte`; returns whether it could."""
        num_pushed = self.matcher._push_bytes(bytes([byte]))
        self.depth += num_pushed
        return num_pushed == 1

    def return_to(self, depth: int) -> None:
        """Take back what was pushed since."""
        if depth < self.depth:
            self.matcher._pop(self.depth - depth)
            self.depth = depth


@dataclass(frozen=True, slots=True)
class Free:
    """Text that is free; progress: how much of the start marker it ends with. num_tokens: of it, in a first phase."""

    progress: int
    num_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Guarded:
    """Text that is guarded. Where the inner text is whole, the end marker may come, or more of the inner text.

    depth: where `inner` stands. is_alive: whether all since the start marker is inner text, and may go on as such.
    ends: for each place where the end marker may have begun, how much of it has come.
    num_bytes: since the start marker.
    """

    inner: Inner
    depth: int = 0
    is_alive: bool = True
    ends: frozenset[int] = frozenset()
    num_bytes: int = 0


Phase = Free | Guarded


class Limit:
    """How long free text may be; then its marker comes, token by token."""

    def __init__(self, num_tokens: int, marker: Marker, banned: Collection[int]) -> None:
        """banned: tokens that never come, and are no part of the marker."""
        self._num_tokens, self._marker, self._banned = num_tokens, marker, banned
        self._known: dict[int, int] = {}

    def forced(self, phase: Free) -> int | None:
        """The only token that may come; None where any may."""
        if phase.num_tokens < self._num_tokens:
            return None
        if phase.progress not in self._known:
            self._known[phase.progress] = self._marker.next_token(phase.progress, self._banned)
        return self._known[phase.progress]


class Reader:
    """From phase to phase; None stands for a text that leaves the grammar.

    Reading moves a phase's inner matcher, which is taken back with `return_to` or stays where the new phase has it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        start: Marker,
        end: EndMarker | None,
        make_inner: Callable[[Iterable[int]], Matcher],
        limit: "Limit | None" = None,
    ) -> None:
        """make_inner: a matcher for what is guarded, at its start, from the ends of sequence that it knows.

        limit: of the free text before it, where there is one.
        """
        self._vocabulary = vocabulary
        self._start = start
        self._end = end
        self._make_inner = make_inner
        self._limit = limit

    def token(self, phase: Phase, token: int) -> Phase | None:
        """What follows `token`."""
        if self._limit is None or isinstance(phase, Guarded):
            return self._any_token(phase, token)
        if self._limit.forced(phase) not in (None, token):
            return None
        following = self._any_token(phase, token)
        return Free(following.progress, phase.num_tokens + 1) if isinstance(following, Free) else following

    def _any_token(self, phase: Phase, token: int) -> Phase | None:
        text = self._vocabulary.tokens[token]
        if not text:
            return self._nothing(phase, token)
        if token in self._vocabulary.special:
            return self._special(phase, token, text)
        if isinstance(phase, Guarded) and self._is_inner_alone(phase, text):
            num_bytes = phase.num_bytes + len(text)
            return Guarded(phase.inner, phase.inner.depth, num_bytes=num_bytes) if phase.inner.push(token) else None
        return self.text(phase, text)

    def text(self, phase: Phase, text: bytes) -> Phase | None:
        """What follows `text`."""
        following: Phase | None = phase
        for byte in text:
            if isinstance(following, Free):
                following = self._free(following, byte)
            elif following is not None:
                following = self._guarded(following, byte)
        return following

    def _nothing(self, phase: Phase, token: int) -> Phase | None:
        """A token without bytes may come where any may."""
        if isinstance(phase, Free):
            return phase
        is_alive = phase.is_alive and phase.inner.push(token)
        return Guarded(phase.inner, phase.inner.depth, is_alive, phase.ends, phase.num_bytes) if is_alive else None

    def _special(self, phase: Phase, token: int, name: bytes) -> Phase | None:
        """The name of a special token is text to a marker that begins with it, and all or nothing to the grammar."""
        end = self._end
        if isinstance(phase, Free):
            return self._name(phase, name)
        ends = frozenset(self.open_ends(phase)) if end is not None else frozenset()
        for place, byte in enumerate(name):
            ends = self._follow(ends, byte)
            if end is not None and len(end.text) in ends:
                return self._name(Free(0), name[place + 1 :])
        is_alive = phase.is_alive and phase.inner.push(token)
        num_bytes = phase.num_bytes + len(name)
        return Guarded(phase.inner, phase.inner.depth, is_alive, ends, num_bytes) if is_alive or ends else None

    def _name(self, phase: Free, name: bytes) -> Phase | None:
        for place, byte in enumerate(name, start=1):
            following = self._free(phase, byte)
            if isinstance(following, Guarded):
                return following if place == len(name) else None
            phase = following
        return phase

    def begin(self, part: Part) -> Phase | None:
        """Where `part` of a prompt, which comes after a start marker, leaves off; None where no guarded text does.

        Blanks at its beginning are left out where that helps.
        """
        if self._end is None:
            inner = Inner(self._make_inner(()))
            num_bytes = inner.matcher._begin(part)
            return None if num_bytes is None else Guarded(inner, num_bytes=num_bytes)
        for text in (part, part.without_blanks()):
            phase = self.text(Guarded(Inner(self._make_inner(()))), text.head)
            for token in text.tokens:
                phase = None if phase is None else self.token(phase, token)
            if phase is not None:
                return phase
        return None

    def _free(self, phase: Free, byte: int) -> Phase:
        start = self._start
        progress = start.step(phase.progress, byte)
        if progress < len(start.text):
            return Free(progress)
        return Guarded(Inner(self._make_inner(())))

    def _guarded(self, phase: Guarded, byte: int) -> Phase | None:
        end, inner = self._end, phase.inner
        ends: frozenset[int] = frozenset()
        if end is not None:
            ends = self._follow(self.open_ends(phase), byte)
            if len(end.text) in ends:
                return Free(0)
        is_alive = phase.is_alive and inner.push_byte(byte)
        return Guarded(inner, inner.depth, is_alive, ends, phase.num_bytes + 1) if is_alive or ends else None

    def _follow(self, ends: Iterable[int], byte: int) -> frozenset[int]:
        """How much of the end marker has come behind `byte`, where `ends` had come before."""
        end = self._end
        return frozenset(so_far + 1 for so_far in ends if end is not None and end.text[so_far] == byte)

    def open_ends(self, phase: Guarded) -> list[int]:
        """How much of the end marker has come, for each place where it may have begun; 0 where it may begin now."""
        may_begin = phase.is_alive and phase.inner.matcher._accepting()
        return sorted(phase.ends | {0}) if may_begin else sorted(phase.ends)

    def _is_inner_alone(self, phase: Guarded, text: bytes) -> bool:
        """Whether `text` can only be inner text."""
        end = self._end
        return end is None or (not phase.ends and end.text[0] not in text)
