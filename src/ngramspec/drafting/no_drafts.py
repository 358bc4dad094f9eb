"""A drafter that drafts nothing and keeps nothing: speculation switched off."""

from collections.abc import Sequence

from ngramspec.drafting.types import NO_DRAFT, Draft, TokenArray


class NoDrafts:
    """A drafter that proposes nothing, so that the passes are those of plain decoding."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "NoDraftsSession":
        """Start a row; nothing is read or kept."""
        return NoDraftsSession()


class NoDraftsSession:
    """A row without drafts."""

    def extend(self, tokens: TokenArray) -> None:
        """Ignored: nothing is looked up later."""

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Nothing."""
        return Draft(NO_DRAFT)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """There is nothing to learn."""

    def close(self) -> None:
        """Nothing was kept."""
