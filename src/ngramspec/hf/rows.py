"""A row of a `generate()` call: a sequence that knows its places in a cache and its position ids."""

from collections.abc import Iterator
from collections.abc import Sequence as Rows
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from ngramspec.decoding import Sequence, Verdict
from ngramspec.drafting.types import Draft, TokenArray
from ngramspec.errors import GuardError
from ngramspec.guards import Matcher
from ngramspec.hf.block import BlockRow, IntArray
from ngramspec.hf.guarding import Guards
from ngramspec.stats import Undrafted

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


@dataclass(slots=True)
class Row(Sequence):
    """A row of a `generate()` call.

    index: its place in the batch. pad_token: what it is fed once it has finished.
    positions: `int64[S]`, position ids of the prompt's slots; emitted tokens count on from the last one.
    max_position: positions that the model knows. A draft never crosses it, for plain decoding might end before.
    most_drafted: tokens of the longest draft.
    vocabulary: token ids that the model knows.
    texts: `int32[n]` each, what it may copy from: references, an encoder's text, its own prompt.
    num_cached: tokens, padding included, whose keys lie in the cache.
    guards: those of the call, whose matchers the chooser moves on. guides: matchers made after a stranger's
        constraint, which masks itself; they only keep drafts within it, and one that loses the text is dropped.
    """

    index: int = field(kw_only=True)
    pad_token: int = field(kw_only=True)
    positions: IntArray = field(kw_only=True)
    max_position: int = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    most_drafted: int = 1 << 62
    texts: Rows[TokenArray] = ()
    num_cached: int = 0
    guards: Guards = field(default_factory=Guards)
    guides: list[Matcher] = field(default_factory=list)

    @property
    def shift(self) -> int:
        """Position ids minus places, behind the prompt: they count on from its last one, padding or not."""
        return int(self.positions[-1]) + 1 - self.positions.size

    def room(self, max_tokens: int) -> int:
        """How many of `max_tokens` drafted tokens could be accepted, and have positions that the model knows."""
        positions = self.max_position - (self.num_cached + self.pending.size + self.shift)
        return Sequence.room(self, min(max_tokens, positions, self.most_drafted))

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft from the text; a finished row, which only a stranger's processor keeps in the batch, drafts padding."""
        if self.finished:
            return Draft(np.full(self.room(max_tokens), self.pad_token, np.int32))
        draft = Sequence.propose(self, max_tokens, min_survival)
        # An id that the model does not know would kill the process on a GPU; whoever drafted it is cut off there.
        tokens = draft.tokens.tolist()
        if tokens and (min(tokens) < 0 or max(tokens) >= self.vocabulary):
            unknown = (draft.tokens < 0) | (draft.tokens >= self.vocabulary)
            draft = draft.head(int(unknown.argmax()))
        return draft

    def matchers(self) -> list[Matcher]:
        """The grammars that hold for the row, and those that only keep its drafts within a stranger's constraint."""
        return [*self.guards.matchers(self.index), *self.guides] if _is_steered.get() else []

    def commit(self, draft: Draft, verdict: Verdict, undrafted: Undrafted = Undrafted.NO_MATCH) -> None:
        """Move on; the padding that follows a finished row counts for nothing."""
        # The last token chosen is always read in the next pass, even where it was drafted and its key is known.
        self.num_cached += self.pending.size + verdict.tokens.size - 1
        if self.finished:
            self.remaining -= verdict.tokens.size
            self.pending = np.asarray(verdict.tokens[-1:], np.int32)
            return
        tokens = verdict.tokens.tolist()
        self.guides = [matcher for matcher in self.guides if _follows(matcher, tokens)]
        Sequence.commit(self, draft, verdict, undrafted)

    def pad_to(self, num_slots: int) -> None:
        """Have as many tokens pending as fill the cache up to `num_slots`: the last one chosen, and padding."""
        missing = num_slots - self.num_cached
        self.pending = np.append(self.pending, np.full(missing, self.pad_token, np.int32))[:missing]

    def block_row(self, draft: Draft) -> BlockRow:
        """The row's share of a forward pass."""
        last = self.num_cached + self.pending.size - 1 + self.shift
        if self.pending.size == 1 and self.num_cached >= self.positions.size:
            return BlockRow(self.num_cached, self.pending, draft.tokens, last)
        places = self.num_cached + np.arange(self.pending.size)
        in_prompt = self.positions[np.minimum(places, self.positions.size - 1)]
        positions = np.where(places < self.positions.size, in_prompt, places + self.shift)
        return BlockRow(self.num_cached, self.pending, draft.tokens, last, positions)


def _follows(matcher: Matcher, tokens: list[int]) -> bool:
    try:
        matcher.advance(tokens)
    except GuardError:
        return False
    return True


def rows_of(sequences: Rows[Sequence]) -> list[Row]:
    """`sequences`, as what they must be; raises TypeError where one is of another kind."""
    rows = []
    for sequence in sequences:
        if not isinstance(sequence, Row):
            raise TypeError(f"a model verifies plans of Row, got {type(sequence).__name__}")
        rows.append(sequence)
    return rows
