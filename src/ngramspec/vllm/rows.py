"""A request of an engine that decodes by itself, as a row of ours: what it has emitted, and how it is drafted for."""

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
    """A row that the engine decodes. `pending`, `num_cached` and `committed` are the engine's own business.

    prompt: `int32[P]`, searched for values. segment: by which its counters are summed. vocabulary: ids that the model
    knows. trouble: is told why it is not steered any more.
    num_read: tokens of prompt and answer that were taken in. checked: the draft in the pass that the engine makes.
    undrafted: why the last draft was empty. awaits_form: its text is free so far, but may be
    guarded from some token on. matcher: follows the engine's; None where its drafts are not steered.
    """

    prompt: TokenArray = field(kw_only=True)
    segment: str | None = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    trouble: Trouble = field(kw_only=True)
    num_read: int = 0
    checked: Sequence[int] = ()
    undrafted: Undrafted = Undrafted.PROMPT
    awaits_form: bool = True
    matcher: Matcher | None = None
    _catch_up: Callable[[], None] | None = None

    def known(self, draft: Draft) -> Draft:
        """See `Row`; histories are files, and may hold ids that the model does not know."""
        if not draft.tokens.size or draft.tokens.max() < self.vocabulary:
            return draft
        return draft.head(int(np.argmax(draft.tokens >= self.vocabulary)))

    def legal(self, draft: Draft) -> Draft:
        """All of it: the engine cuts drafts by its own grammar before it checks them."""
        return draft

    def led_draft(self, room: int, min_survival: float, *, branches: bool = False) -> Draft | None:
        """See `Row`. An error ends the steering of this row, and of no other."""
        try:
            return Row.led_draft(self, room, min_survival, branches=branches)
        except Exception as error:
            self.unsteer(error)
            return None

    def matchers(self) -> Sequence[Matcher]:
        """See `Row`."""
        return () if self.matcher is None else (self.matcher,)

    def advance(self, tokens: TokenArray) -> None:
        """Nothing: the engine's matcher has advanced already, and `read` has followed it."""

    def keep(self, tokens: list[int], num_cached: int) -> None:
        """Nothing: the cache is the engine's."""

    def steer(self, follower: Follower, tokens: Sequence[int], end_token: int | None) -> None:
        """Keep its drafts within the grammar of `follower` from now on.

        tokens: the last ones of the answer, among which the guarded text began. end_token: the one that will probably
        end the row; None if none does.
        """
        steering = RowSteering([follower.matcher], [self.prompt], end_token)
        steering.commit(np.array(guarded_tail(follower.fresh(), tokens), np.int32))
        self.matcher, self.steering, self._catch_up = follower.matcher, steering, follower.follow

    def unsteer(self, error: Exception) -> None:
        """Draft blindly from now on, because of `error`."""
        self.release()
        self.trouble.note("a request is not steered any more", error)

    def release(self) -> None:
        """Let go of the engine's grammar."""
        self.matcher = self.steering = self._catch_up = None

    def read(self, tokens: Sequence[int], remaining: int) -> None:
        """The engine has emitted `tokens` after those that were read, by a pass that checked `checked`.

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
        checked = Draft(np.array(self.checked, np.int32))
        undrafted, self.checked = self.undrafted, ()
        self.follow(checked, np.array(tokens, np.int32), 0, undrafted)
