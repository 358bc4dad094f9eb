"""Records which emitted tokens were accepted draft tokens."""

from collections.abc import Sequence

from ngramspec.drafting import AdaptiveLookup, Draft, TokenArray
from ngramspec.drafting.adaptive_lookup import AdaptiveLookupSession
from ngramspec.drafting.segments import Segment


class AcceptanceRecorder(AdaptiveLookup):
    """The default drafter, which also keeps the sessions that it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[AcceptanceSession] = []

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AcceptanceSession":
        """Start a row."""
        self.sessions.append(AcceptanceSession(self, self._segments.open(segment), references))
        return self.sessions[-1]


class AcceptanceSession(AdaptiveLookupSession):
    """One row. `accepted` says, per emitted token, whether it was drafted."""

    def __init__(self, drafter: AcceptanceRecorder, segment: Segment, references: Sequence[TokenArray]) -> None:
        super().__init__(drafter, segment, references)
        self.accepted: list[bool] = []
        self._num_accepted: int | None = None  # in the latest pass; None during the prompt

    def extend(self, tokens: TokenArray) -> None:
        """Note which of the committed tokens were drafted: the first ones."""
        if self._num_accepted is not None:
            self.accepted += [index < self._num_accepted for index in range(tokens.size)]
        super().extend(tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Note how many tokens were accepted; `extend` follows with the tokens."""
        self._num_accepted = num_accepted
        super().observe(draft, num_accepted)
