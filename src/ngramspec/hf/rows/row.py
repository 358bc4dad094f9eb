"""A row of a `generate()` call, which knows its slots in a cache, its position ids, and how its tokens are chosen."""

from collections.abc import Iterator
from collections.abc import Sequence as Rows
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ngramspec.decoding import Row
from ngramspec.drafting.types import Draft
from ngramspec.errors import GuardError
from ngramspec.guards import Matcher
from ngramspec.hf.choice.masks import RowMasks
from ngramspec.hf.choice.sampling import Picker
from ngramspec.hf.choice.stopping import Stops
from ngramspec.stats import Undrafted

IntArray = npt.NDArray[np.int64]

NO_LIMIT = 1 << 62

REACH = 4
"""Tokens by which a row that is read in line may be ahead of the slowest and still be moved on."""

_is_steered: ContextVar[bool] = ContextVar("is_steered", default=True)


@contextmanager
def unsteered() -> Iterator[None]:
    """Within the `with` block, and this thread, drafts reach the masks as they are, illegal tokens and all.

    Only for tests: steering saves the masks what they would refuse, and so hides whether they do.
    """
    token = _is_steered.set(False)
    try:
        yield
    finally:
        _is_steered.reset(token)


@dataclass(slots=True, eq=False)
class ModelRow(Row):
    """A row of a `generate()` call.

    index: its number in the batch. pad_token: what it is fed once it has ended.
    positions: `int64[S]`, position ids of the prompt's slots; emitted tokens count on from the last one.
    max_position: positions that the model knows. A draft never crosses it, for plain decoding might end before.
    most_drafted: tokens of the longest draft. vocabulary: token ids that the model knows.
    stops: when it ends. picker: chooses its tokens.
    masks: those of its guards. guides: matchers made after a stranger's constraint, which masks itself; they only keep
        drafts within it, and one that loses the text is dropped.
    error: what it ended with, where its guard could not go on, or something that its call brought has raised.
    """

    index: int = field(kw_only=True)
    pad_token: int = field(kw_only=True)
    positions: IntArray = field(kw_only=True)
    max_position: int = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    stops: Stops = field(kw_only=True)
    picker: Picker = field(kw_only=True)
    most_drafted: int = NO_LIMIT
    masks: RowMasks = field(default_factory=RowMasks)
    guides: list[Matcher] = field(default_factory=list)
    error: Exception | None = None

    @property
    def shift(self) -> int:
        """Position ids minus places, behind the prompt: they count on from its last one, padding or not."""
        return int(self.positions[-1]) + 1 - self.positions.size

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted, and have positions that the model knows."""
        positions = self.max_position - (self.num_cached + self.pending.size + self.shift)
        return Row.room(self, min(max_tokens, positions, self.most_drafted))

    def led_draft(self, room: int, min_survival: float) -> Draft | None:
        """As `Row.led_draft`; a row that has ended, which only a stranger's processor keeps in, drafts padding."""
        if self.ended:
            return Draft(np.full(room, self.pad_token, np.int32))
        return Row.led_draft(self, room, min_survival)

    def known(self, draft: Draft) -> Draft:
        """The head of `draft` whose ids the model knows: another one would kill the process on a GPU."""
        tokens = draft.tokens.tolist()
        if tokens and (min(tokens) < 0 or max(tokens) >= self.vocabulary):
            unknown = (draft.tokens < 0) | (draft.tokens >= self.vocabulary)
            return draft.head(int(unknown.argmax()))
        return draft

    def matchers(self) -> list[Matcher]:
        """The grammars that hold for the row, and those that only keep its drafts within a stranger's constraint."""
        return [*self.masks.matchers, *self.guides] if _is_steered.get() else []

    def follow(self, draft: Draft, num_cached: int, undrafted: Undrafted = Undrafted.NO_MATCH) -> None:
        """Let matchers follow first; where a backend cannot, the row ends."""
        tokens = self.emitted[self.num_followed :]
        self.guides = [matcher for matcher in self.guides if _follows(matcher, tokens)]
        try:
            self.masks.advance(tokens)
        except GuardError as error:
            self.fail(error)
        Row.follow(self, draft, num_cached, undrafted)

    def takes(self, error: Exception) -> bool:
        """See `Row.takes`."""
        if self.call.keeps_errors:
            self.error, self.ended = error, True
        return self.call.keeps_errors

    def fail(self, error: GuardError) -> None:
        """End the row, whose guard cannot go on."""
        text = self.masks.matchers[0].vocabulary.decode(self.emitted)
        error.row, error.tokens, error.text = self.index, list(self.emitted), text.decode(errors="replace")
        self.error = error
        self.ended = True
        self.masks.drop()

    def pad_to(self, num_slots: int) -> None:
        """Have as many tokens pending as fill the cache up to `num_slots`: the last one chosen, and padding."""
        missing = num_slots - self.num_cached
        self.pending = np.append(self.pending, np.full(missing, self.pad_token, np.int32))[:missing]


def _follows(matcher: Matcher, tokens: list[int]) -> bool:
    try:
        matcher.advance(tokens)
    except GuardError:
        return False
    return True


def model_rows(rows: Rows[Row]) -> list[ModelRow]:
    """`rows`, as what they must be; raises TypeError where one is of another kind."""
    checked = []
    for row in rows:
        if not isinstance(row, ModelRow):
            raise TypeError(f"a model reads rows of ModelRow, got {type(row).__name__}")
        checked.append(row)
    return checked
