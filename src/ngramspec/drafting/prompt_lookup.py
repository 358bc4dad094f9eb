"""Prompt lookup: what followed the last time the text read like this."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting.core import SuffixIndex, warn_if_slow
from ngramspec.drafting.types import NO_DRAFT, Draft, TokenArray


class PromptLookup:
    """Drafts the continuation of the latest longest match of the text's end, down to a match of one token.

    After prompt lookup decoding (Saxena 2023), with the latest longest match instead of the first short one: edits
    drift, and the recent past drifts with them. Nothing of a row is kept after its session.
    """

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "PromptLookupSession":
        """Start a row that copies from `references` too; the segment makes no difference here."""
        warn_if_slow()
        return PromptLookupSession(references)


class PromptLookupSession:
    """One row: an index over its references, its prompt and its committed tokens."""

    def __init__(self, references: Sequence[TokenArray] = ()) -> None:
        """Start with the references `int32[n]`, read before the prompt."""
        self.index = SuffixIndex()
        for reference in references:
            self.index.extend(reference)

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`."""
        self.index.extend(tokens)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Copy up to `max_tokens` tokens from after the match; empty if nothing matches."""
        if max_tokens <= 0:
            return Draft(NO_DRAFT)
        match = self.index.latest_longest_match()
        if not match.length:
            return Draft(NO_DRAFT)
        tokens = self.index.read(match.start, match.start + max_tokens)
        if tokens.size < max_tokens:
            # The copy reaches the end of the text and continues with what it has copied, as in LZ77: the text repeats.
            tokens = np.resize(tokens, max_tokens)
        return Draft(tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Nothing is learnt: this drafter knows only the text."""

    def close(self) -> None:
        """Keep nothing."""
