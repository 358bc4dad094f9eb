"""Records which emitted tokens were accepted draft tokens, by wrapping a drafter."""

from collections.abc import Sequence

from ngramspec.drafting import Draft, Drafter, DraftSession, TokenArray


class Recorder:
    """A drafter that wraps another one, and keeps the sessions that it opened."""

    def __init__(self, drafter: Drafter) -> None:
        self.drafter = drafter
        self.sessions: list[RecordedSession] = []

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "RecordedSession":
        """Start a row."""
        self.sessions.append(RecordedSession(self.drafter.open(segment, references)))
        return self.sessions[-1]


class RecordedSession:
    """One row. `accepted` holds, per emitted token, whether it was drafted."""

    def __init__(self, session: DraftSession) -> None:
        self.accepted: list[bool] = []
        self._session = session
        self._num_accepted: int | None = None  # in the latest pass; None during the prompt

    def extend(self, tokens: TokenArray) -> None:
        """Note which of the committed tokens were drafted: the first ones."""
        if self._num_accepted is not None:
            self.accepted += [index < self._num_accepted for index in range(tokens.size)]
        self._session.extend(tokens)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """The wrapped session's draft."""
        return self._session.propose(max_tokens, min_survival)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Note how many tokens were accepted; `extend` follows with the tokens."""
        self._num_accepted = num_accepted
        self._session.observe(draft, num_accepted)

    def close(self) -> None:
        """Close the wrapped session."""
        self._session.close()
