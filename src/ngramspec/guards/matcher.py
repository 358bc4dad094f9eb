"""`Matcher`: a row's state in its grammar. It has what all backends share, above all how a text ends."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import ClassVar, Self, TypeVar

import numpy as np

from ngramspec import forking
from ngramspec.errors import GuardError, shortened
from ngramspec.guards.filling import Filled, fill
from ngramspec.guards.limits import raised
from ngramspec.guards.lookahead import Lookahead
from ngramspec.guards.prompt_tail import PromptTail
from ngramspec.guards.source import Source
from ngramspec.guards.types import WORD, BackendError, BitmaskArray, is_set, num_words, set_bits
from ngramspec.guards.vocabulary import Vocabulary

T = TypeVar("T")

_PIECE = 256
"""Bytes that are read between two looks at the clock."""

ALL = 1 << 62
"""More bytes than any text has."""


class Matcher(ABC):
    """A row's state in its grammar; for one row, and one thread at a time.

    A backend is a subclass that knows a language of bytes: `_mask`, `_push`, `_push_bytes`, `_pop`, `_accepting`,
    `_forced`, `_restart`. End of sequence never reaches it: it is allowed if and only if the text so far is accepted.

    vocabulary: the tokens. eos_tokens: the ids that end the row. ended: whether one of them has come; nothing is
    allowed after it. source: what the guarded text was compiled from, if known. begun: the part of the guarded text
    that is in the prompt.
    """

    source: Source | None = None
    begun: bytes = b""
    checks_fast: ClassVar[bool] = False
    """Whether `_num_possible` and `_accepts_after` take far less time than pushing. Not for matchers with markers."""

    def __init__(self, vocabulary: Vocabulary, eos_tokens: Iterable[int]) -> None:
        self.vocabulary = vocabulary
        self.eos_tokens = frozenset(eos_tokens)
        self.ended = False
        self._committed: list[int] = []
        self._is_lost = False
        self._turn = forking.lock(is_held_long=True)
        # The tokenizer's own end of sequence is not text even in a call that it does not end: it never comes.
        self._no_ends = frozenset(vocabulary.eos_tokens) - self.eos_tokens
        self._not_text, self._num_tokens = self.eos_tokens | self._no_ends, len(vocabulary)
        self._ends = np.array(sorted(token for token in self.eos_tokens if 0 <= token < len(vocabulary)), np.int64)
        self._all_ends = np.array(sorted({*self._ends.tolist(), *self._no_ends}), np.int64)
        self._last_word = (1 << len(vocabulary) % WORD) - 1 if len(vocabulary) % WORD else -1

    def advance(self, tokens: Iterable[int]) -> None:
        """Commit `tokens` `int32[n]`.

        Raises GuardError, with the state unchanged, if one of them is not allowed or the backend fails.
        """
        with self._alone():
            self._tried_twice(partial(self._advance, [int(token) for token in tokens]))

    def fill(self, draft: Iterable[int], out: BitmaskArray) -> int:
        """Write the bitmasks of the positions along `draft` `int32[K]` into `out` `int32[K + 1, >= W]`.

        Returns the length k of the draft's legal head by the bitmasks: rows 0 to k are written, later rows are zero,
        and the state is unchanged. A zero row among the first k + 1 allows nothing: after an end of sequence, or where
        this vocabulary cannot continue the text.
        Raises GuardError if the backend cannot tell what is allowed now. If it fails later, the head ends there.
        Raises ValueError for an `out` of another shape or dtype.
        """
        tokens = [int(token) for token in draft]
        width = num_words(len(self.vocabulary))
        if out.shape[0] != len(tokens) + 1 or out.shape[1] < width or out.dtype != np.int32:
            raise ValueError(
                f"out must be int32[{len(tokens) + 1}, >= {width}] for a draft of {len(tokens)} tokens,"
                f" got {out.dtype}{list(out.shape)}"
            )
        out[:, width:] = 0
        with self._alone():
            return self._tried_twice(partial(self._fill, tokens, out[:, :width]))

    @property
    def company(self) -> object:
        """Matchers whose companies are equal are filled in one call of `fill_all`."""
        return self

    @classmethod
    def fill_all(cls, matchers: "Sequence[Self]", drafts: Sequence[list[int]]) -> list[Filled]:
        """For each of `matchers`, of one company, the bitmasks along its draft, or its error."""
        return [fill(matcher, draft) for matcher, draft in zip(matchers, drafts, strict=True)]

    def lookahead(self) -> Lookahead:
        """Try out tokens; the state is restored when the `with` block ends."""
        return Lookahead(self)

    def accepting(self) -> bool:
        """Whether the text so far is complete, so that the row may end here; True for an ended row."""
        with self._alone():
            return self.ended or self._tried_twice(self._accepting)

    @property
    def num_guarded(self) -> int | None:
        """Number of guarded bytes at the end of the text: ALL without markers; None while the text is free."""
        return ALL

    def read_prompt(self, prompt: Sequence[int]) -> None:  # noqa: B027 (without markers a prompt has no effect)
        """Begin at the end of the row's prompt; called before anything is committed.

        prompt: token ids, `int64[P]`, searched for markers; see `Guard.after` and `Guard.between`. Raises GuardError if
        the backend cannot tell whether a guarded text begins there.
        """

    # For backends to implement. Any of these may raise BackendError.

    @abstractmethod
    def _mask(self, row: BitmaskArray) -> None:
        """Write the allowed next tokens into `row` `int32[W]`, which is zero; bits of ends are ignored."""

    @abstractmethod
    def _push(self, token: int) -> bool:
        """Advance by `token`, 0 <= token < V; returns whether it was possible."""

    def _push_all(self, tokens: list[int]) -> int:
        """Advance by the longest possible head of `tokens`, ids below V; returns its length. Each is one step."""
        for num_pushed, token in enumerate(tokens):
            if not self._push(token):
                return num_pushed
        return len(tokens)

    def _num_possible(self, pending: list[int], tokens: list[int]) -> int:
        """How many of `tokens` `_push_all` would take after `pending`, all of which it would take; the state stays."""
        num_pushed = self._push_all([*pending, *tokens])
        if num_pushed:
            self._pop(num_pushed)
        return max(0, num_pushed - len(pending))

    def _accepts_after(self, pending: list[int]) -> bool:
        """As `_accepting`, after `pending`, all of which `_push_all` would take; the state stays."""
        num_pushed = self._push_all(pending) if pending else 0
        accepts = self._accepting()
        if num_pushed:
            self._pop(num_pushed)
        return accepts

    @abstractmethod
    def _push_bytes(self, text: bytes) -> int:
        """Advance by the longest possible head of `text`; returns its length. Each byte is one step for `_pop`."""

    @abstractmethod
    def _pop(self, num_steps: int) -> None:
        """Undo the last `num_steps` pushes."""

    @abstractmethod
    def _accepting(self) -> bool:
        """Whether the text so far is complete."""

    @abstractmethod
    def _forced(self) -> bytes:
        """The bytes that must come next."""

    @abstractmethod
    def _restart(self) -> None:
        """Return to the start state, also after a failure."""

    def _settle(self) -> None:  # noqa: B027 (most backends have nothing to forget)
        """Drop the undo information of earlier pushes: they are committed."""

    def _begin(self, part: PromptTail) -> int | None:
        """Begin with `part` of a prompt, which follows a marker, or with the rest of it after leading blanks.

        Returns the number of bytes taken; None if no text begins like that.
        """
        for text in (part, part.without_blanks()):
            if self._push_bytes(text.head) == len(text.head) and all(map(self._step, text.tokens)):
                self._settle()
                return len(text.text)
            self._restart()
        return None

    # Common to all backends.

    def _alone(self) -> "_Turn":
        return _Turn(self)

    def _begin_turn(self) -> None:
        if not self._turn.acquire(blocking=False):
            raise GuardError(
                "a matcher serves one thread at a time, and no other caller while a lookahead is open,"
                " got a call in between: make one matcher per row"
            )
        if self._is_lost:
            try:
                self._rebuild([])
            except BaseException as error:
                self._end_turn(error)
                raise

    def _end_turn(self, error: BaseException | None) -> None:
        """End a turn, in which `error` was raised."""
        try:
            if isinstance(error, BackendError):
                self._lose()
                raise self._failed(error) from error
            if error is not None and not isinstance(error, GuardError):
                self._lose()  # an interrupt may have come between a push and its pop
        finally:
            self._turn.release()

    def _tried_twice(self, ask: Callable[[], T]) -> T:
        """The result of `ask`, retried once after a restart: over time llguidance uses up its limits."""
        try:
            return ask()
        except BackendError:
            self._rebuild([])
            return ask()

    def _advance(self, tokens: list[int]) -> None:
        pushed = tokens[: self._steps(tokens)]
        if len(pushed) < len(tokens):
            error = self._refused(tokens[len(pushed)], pushed)
            self._undo(pushed)
            raise error
        self._committed += pushed
        self._settle()

    def _fill(self, draft: list[int], out: BitmaskArray) -> int:
        out[:] = 0
        num_filled = 0
        pushed: list[int] = []
        try:
            self._fill_row(out[0])
            for num_filled, token in enumerate(draft, start=1):
                if not self._continues(token, out[num_filled - 1]):
                    break
                pushed.append(token)
                self._fill_row(out[num_filled])
        except BackendError:
            out[num_filled:] = 0
            if num_filled == 0:
                raise
            self._lose()
            return num_filled - 1
        self._undo(pushed)
        return len(pushed)

    def _read(self, text: bytes, max_seconds: float) -> tuple[int, bool]:
        """How many bytes of `text` are allowed, however tokenised, and whether the text is then complete.

        The matcher is used up. Raises GuardError if the backend cannot tell within `max_seconds`.
        """
        until = monotonic() + max_seconds

        def read() -> tuple[int, bool]:
            num_read = 0
            while num_read < len(text):
                piece = text[num_read : num_read + _PIECE]
                pushed = self._push_bytes(piece)
                num_read += pushed
                self._settle()  # nothing will be undone, so undo information would only take memory
                if pushed < len(piece):
                    break
                if monotonic() > until:
                    raise GuardError(
                        f"reading a text must take at most max_seconds={max_seconds:g}, got {num_read} of {len(text)}"
                        f" bytes: {raised('max_seconds')}"
                    )
            return num_read, self._accepting()

        with self._alone():
            return self._tried_twice(read)

    def _step(self, token: int) -> bool:
        if self.ended:
            return False
        if token in self.eos_tokens:
            self.ended = self._accepting()
            return self.ended
        return 0 <= token < len(self.vocabulary) and token not in self._no_ends and self._push(token)

    def _steps(self, tokens: list[int]) -> int:
        """Advance by the longest possible head of `tokens`; returns its length."""
        if not self.ended and self._is_text(tokens):
            return self._push_all(tokens)
        for num_stepped, token in enumerate(tokens):
            if not self._step(token):
                return num_stepped
        return len(tokens)

    def _is_text(self, tokens: list[int]) -> bool:
        """Whether `tokens` are in the vocabulary, and not ends of sequence: only these reach the backend."""
        return not tokens or (min(tokens) >= 0 and max(tokens) < self._num_tokens and self._not_text.isdisjoint(tokens))

    def _undo(self, pushed: list[int], kept: list[int] | None = None) -> None:
        """Undo `pushed`, the last steps; kept: the uncommitted steps before them, default: none."""
        num_steps = len(pushed)
        if num_steps and self.ended:
            self.ended = False
            num_steps -= 1
        if num_steps:
            try:
                self._pop(num_steps)
            except BackendError:  # llguidance cannot roll back in a grammar that counts tokens
                self._rebuild(kept or [])

    def _fill_row(self, row: BitmaskArray) -> None:
        if self.ended:
            return
        self._mask_text(row)
        if self._accepting():
            set_bits(row, self._ends, allowed=True)

    def _mask_text(self, row: BitmaskArray) -> None:
        """Write which text tokens may come next: no ends, and no id beyond the vocabulary."""
        self._mask(row)
        row[-1] &= self._last_word
        set_bits(row, self._all_ends, allowed=False)

    def _continues(self, token: int, row: BitmaskArray) -> bool:
        return 0 <= token < len(self.vocabulary) and is_set(row, token) and self._step(token)

    def _lose(self) -> None:
        """Discard the backend's state, which may be unusable after a failure: the next call restarts it."""
        self._is_lost = True
        self.ended = bool(self._committed) and self._committed[-1] in self.eos_tokens

    def _rebuild(self, pushed: list[int]) -> None:
        """Restart the backend, and replay the committed tokens and `pushed`."""
        self._is_lost = True
        self.ended = False
        self._restart()
        self._replay(self._committed)
        self._settle()
        self._replay(pushed)
        self._is_lost = False

    def _replay(self, tokens: list[int]) -> None:
        for token in tokens:
            if not self._step(token):
                raise BackendError(f"token {token} refused, which had been allowed before")

    def _failed(self, error: BackendError) -> GuardError:
        return GuardError(
            f"the guard's backend must say what is allowed next, got {error} after {len(self._committed)} tokens:"
            " simplify the grammar, or raise the backend's limits",
            tokens=self._committed,
            text=self._text(),
        )

    def _refused(self, token: int, pushed: list[int]) -> GuardError:
        name = repr(self.vocabulary.decode([token])) if 0 <= token < len(self.vocabulary) else "not in the vocabulary"
        before = self.vocabulary.decode([*self._committed, *pushed]).decode(errors="replace")
        return GuardError(
            f"token {token} ({name}) at position {len(self._committed) + len(pushed)} is not allowed"
            f"{' after the end' if self.ended else ''}, got it after {shortened(before[-40:])}",
            tokens=self._committed,
            text=self._text(),
        )

    def _text(self) -> str:
        has_end = bool(self._committed) and self._committed[-1] in self.eos_tokens
        tokens = self._committed[:-1] if has_end else self._committed
        return self.vocabulary.decode(tokens).decode(errors="replace")


class _Turn:
    """A turn at a matcher, which serves one caller at a time; an error of its backend becomes a GuardError.

    Not a `contextmanager`, which takes several times as long: each pass of a row takes two turns.
    """

    __slots__ = ("_matcher",)

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def __enter__(self) -> None:
        self._matcher._begin_turn()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._matcher._end_turn(error)
