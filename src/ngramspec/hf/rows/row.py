"""A row of a `generate()` call: its slots in a cache, its position ids, and how its tokens are chosen."""

from collections.abc import Iterator
from collections.abc import Sequence as Rows
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ngramspec.decoding import Row
from ngramspec.drafting.types import Draft, TokenArray
from ngramspec.errors import GuardError
from ngramspec.guards import Matcher
from ngramspec.hf.choice.masks import RowMasks
from ngramspec.hf.choice.sampling import Picker
from ngramspec.hf.choice.stopping import Stops
from ngramspec.stats import Counters, GuardOutcome

IntArray = npt.NDArray[np.int64]

REACH = 4
"""Tokens by which an aligned row may be ahead of the slowest one and still take part in a pass."""

_is_steered: ContextVar[bool] = ContextVar("is_steered", default=True)


@contextmanager
def unsteered() -> Iterator[None]:
    """Within the `with` block, in this thread, drafts reach the masks unsteered, with illegal tokens in them.

    Only for tests: steering drops what the masks would refuse, and so hides whether they refuse it.
    """
    token = _is_steered.set(False)
    try:
        yield
    finally:
        _is_steered.reset(token)


@dataclass(slots=True, eq=False)
class ModelRow(Row):
    """A row of a `generate()` call.

    index: its number in the batch. pad_token: what it reads once it has ended.
    positions: `int64[S]`, position ids of the prompt's slots; those of emitted tokens continue from the last one.
    shift: position id minus slot after the prompt, padding or not. num_prompt_slots: S.
    max_position: positions that the model knows. No draft crosses it, because plain decoding might end before.
    num_undraftable: how many of the `remaining` tokens are not drafted, at the end: the bonus token, and those beyond
        `max_position`.
    vocabulary: token ids that the model knows. stops: when it ends. picker: chooses its tokens.
    masks: those of its guards. guides: matchers rebuilt from an adopted constraint, which does its own masking; they
        only keep drafts within it, and one that cannot follow the text is dropped.
    num_shared: tokens of its prompt that were copied from another row's line instead of read.
    error: why it ended, if its guard could not go on or code of its call raised.
    line: the cache line with its keys, if its target moves rows from line to line.
    """

    index: int = field(kw_only=True)
    pad_token: int = field(kw_only=True)
    positions: IntArray = field(kw_only=True)
    max_position: int = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    stops: Stops = field(kw_only=True)
    picker: Picker = field(kw_only=True)
    masks: RowMasks = field(default_factory=RowMasks)
    guides: list[Matcher] = field(default_factory=list)
    num_shared: int = 0
    error: Exception | None = None
    line: int = 0
    shift: int = field(init=False)
    num_prompt_slots: int = field(init=False)
    num_undraftable: int = field(init=False)

    def __post_init__(self) -> None:
        """Continue position ids from the prompt's last one."""
        self.num_prompt_slots = self.positions.size
        self.shift = int(self.positions[-1]) + 1 - self.num_prompt_slots
        num_positions = self.max_position - (self.num_cached + len(self.pending) + self.shift)
        self.num_undraftable = max(1, self.remaining - num_positions)

    def may_branch(self) -> bool:
        """As `Row.may_branch`, but not in the pass that reads the prompt, which the model masks itself."""
        return not self.reads_prompt and Row.may_branch(self)

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted, and have positions that the model knows."""
        return max(0, min(max_tokens, self.remaining - self.num_undraftable, self.most_drafted))

    def steered_draft(self, room: int, min_survival: float, *, branches: bool = False) -> Draft | None:
        """As `Row.steered_draft`; a row that has ended, and is kept for an unknown processor only, drafts padding."""
        if self.ended:
            return Draft(np.full(room, self.pad_token, np.int32))
        return None if self.steering is None else Row.steered_draft(self, room, min_survival, branches=branches)

    def readable_head(self, draft: Draft) -> Draft:
        """The head of `draft` up to the first id that the model does not know: on a GPU that would kill the process."""
        tokens = draft.tokens.tolist()
        if tokens and (min(tokens) < 0 or max(tokens) >= self.vocabulary):
            unknown = (draft.tokens < 0) | (draft.tokens >= self.vocabulary)
            return draft.head(int(unknown.argmax()))
        return draft

    def matchers(self) -> list[Matcher]:
        """The matchers of the row's guards, and those that keep its drafts within adopted constraints."""
        return [*self.masks.matchers, *self.guides] if _is_steered.get() else []

    def advance(self, tokens: TokenArray) -> None:
        """As `Row.advance`; if the backend of a guard cannot follow, the row ends."""
        committed = tokens.tolist()
        self.guides = [matcher for matcher in self.guides if _follows(matcher, committed)]
        try:
            self.masks.advance(committed)
        except GuardError as error:
            self.fail(error)

    def keeps_error(self, error: Exception) -> bool:
        """See `Row.keeps_error`."""
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

    def counted(self) -> Counters:
        """Its counters, with how its guarded text ended and the time of its masks; to be called once, at its end."""
        outcome = self._outcome()
        if outcome is not None:
            self.counters.num_guarded_per_outcome = {outcome: 1}
        self.counters.masking_seconds = self.masks.seconds
        return self.counters

    def _outcome(self) -> GuardOutcome | None:
        """How its guarded text ended; None without a guard."""
        if isinstance(self.error, GuardError):
            return GuardOutcome.FAILED
        if not self.masks:
            return None
        try:
            is_complete = all(matcher.accepting() for matcher in self.masks.matchers)
        except GuardError:
            return GuardOutcome.FAILED
        return GuardOutcome.COMPLETE if is_complete else GuardOutcome.CUT_OFF

    def pad_to(self, num_slots: int) -> None:
        """Make pending what fills the cache up to `num_slots`: the last chosen token, and padding."""
        missing = num_slots - self.num_cached
        self.pending = (self.pending + [self.pad_token] * missing)[:missing]


def _follows(matcher: Matcher, tokens: list[int]) -> bool:
    try:
        matcher.advance(tokens)
    except GuardError:
        return False
    return True


def model_rows(rows: Rows[Row]) -> list[ModelRow]:
    """`rows`, typed; raises TypeError if one is of another class."""
    checked = []
    for row in rows:
        if not isinstance(row, ModelRow):
            raise TypeError(f"a model reads rows of ModelRow, got {type(row).__name__}")
        checked.append(row)
    return checked
