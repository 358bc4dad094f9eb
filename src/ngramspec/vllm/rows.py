"""A request of an engine that decodes on its own, as a row: its emitted tokens, and how it is drafted for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ngramspec.decoding import Row
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting.types import Draft, TokenArray
from ngramspec.guards import Follower, Matcher
from ngramspec.guards.follower import guarded_tail
from ngramspec.stats import Undrafted
from ngramspec.vllm.trouble import Trouble


@dataclass(slots=True, eq=False)
class EngineRow(Row):
    """A row that the engine decodes. `pending`, `num_cached` and `committed` are left to the engine.

    prompt: `int32[P]`, searched for values. segment: its counters are summed by it. vocabulary: number of ids the model
    knows. trouble: takes note of why it is no longer steered.
    num_read: tokens of prompt and answer that were read. verified: the draft that the engine's current pass verifies.
    undrafted: why the last draft was empty. awaits_form: whether its text is free so far, but may be guarded from some
    token on. matcher: follows the engine's; None if its drafts are not steered.
    """

    prompt: TokenArray = field(kw_only=True)
    segment: str | None = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    trouble: Trouble = field(kw_only=True)
    num_read: int = 0
    verified: Sequence[int] = ()
    undrafted: Undrafted = Undrafted.PROMPT
    awaits_form: bool = True
    matcher: Matcher | None = None
    _catch_up: Callable[[], None] | None = None

    def readable_head(self, draft: Draft) -> Draft:
        """See `Row`. Histories are files, and may have ids that the model does not know."""
        if not draft.tokens.size or draft.tokens.max() < self.vocabulary:
            return draft
        return draft.head(int(np.argmax(draft.tokens >= self.vocabulary)))

    def legal_head(self, draft: Draft) -> Draft:
        """All of it: the engine cuts drafts by its own grammar before it verifies them."""
        return draft

    def steered_draft(self, room: int, min_survival: float, *, branches: bool = False) -> Draft | None:
        """See `Row`. An error ends the steering of this row only."""
        try:
            return Row.steered_draft(self, room, min_survival, branches=branches)
        except Exception as error:
            self.unsteer(error)
            return None

    def matchers(self) -> Sequence[Matcher]:
        """See `Row`."""
        return () if self.matcher is None else (self.matcher,)

    def advance(self, tokens: TokenArray) -> None:
        """Do nothing: the engine's matcher has already advanced, and `read` has followed it."""

    def keep(self, tokens: list[int], num_cached: int) -> None:
        """Do nothing: the cache is the engine's."""

    def steer(self, follower: Follower, tokens: Sequence[int], end_token: int | None) -> None:
        """Keep its drafts within the grammar of `follower` from now on.

        tokens: the answer's last ones, among which the guarded text began. end_token: the token that will probably end
        the row; None if none does.
        """
        steering = RowSteering([follower.matcher], [self.prompt], end_token)
        steering.commit(np.array(guarded_tail(follower.fresh(), tokens), np.int32))
        self.matcher, self.steering, self._catch_up = follower.matcher, steering, follower.follow

    def unsteer(self, error: Exception) -> None:
        """Draft blindly from now on, because of `error`."""
        self.release()
        self.trouble.note("a request is not steered any more", error)

    def release(self) -> None:
        """Drop the engine's grammar."""
        self.matcher = self.steering = self._catch_up = None

    def read(self, tokens: Sequence[int], remaining: int) -> None:
        """Read `tokens`, which the engine's pass over the draft `checked` emitted after those read so far.

        remaining: tokens that may still follow.
        """
        if self._catch_up is not None:
            try:
                self._catch_up()
            except Exception as error:
                self.unsteer(error)
        self.num_read += len(tokens)
        self.remaining = remaining + len(tokens)
        self.commit(*tokens)
        verified = Draft(np.array(self.verified, np.int32))
        undrafted, self.verified = self.undrafted, ()
        self.follow(verified, np.array(tokens, np.int32), 0, undrafted)
