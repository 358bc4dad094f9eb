"""Lookup in the row's own text and in its segment's history, by what has proved right."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from ngramspec.drafting import core
from ngramspec.drafting.core import Row, Survival, checked_vocabulary
from ngramspec.drafting.references import checked_references
from ngramspec.drafting.salting import salted
from ngramspec.drafting.saving import load, save
from ngramspec.drafting.segments import Segment, Segments
from ngramspec.drafting.sketch import sketch
from ngramspec.drafting.types import Draft, Steering, TokenArray
from ngramspec.files.whole_file import MAX_BYTES

MAX_TOKENS = 1 << 21
"""All histories together hold at most so many tokens, unless told otherwise."""

MAX_SEGMENTS = 1024
"""So many segments are known at a time, unless told otherwise."""


class AdaptiveLookup:
    """Drafts token by token what the surest of several matches says.

    Looked up are the row's own text (references, prompt, output) and, where a segment is named, what earlier rows of
    that segment answered; and copies in progress go on after tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each is, alone and beside the others, is learnt (`core/survival.py`).

    The idea of a history is suffix decoding's (Oliaro et al. 2024), that of going on after a mismatch lpaq's match
    model's (Mahoney 2007).

    A segment's history is bounded together with all others', never read by another one, and none is kept until a
    segment is named. It outlives a restart where it is saved.
    """

    def __init__(
        self,
        survival: Survival | None = None,
        *,
        vocabulary: Sequence[bytes] | None = None,
        max_tokens: int = MAX_TOKENS,
        max_segments: int = MAX_SEGMENTS,
    ) -> None:
        """Begin without a history.

        survival: what is known of matches, by default what recorded traffic has taught.
        vocabulary: the bytes of each token, such as `Vocabulary.of(tokenizer).tokens`. With it a row also copies from
            where its own text is spelled as its end is, though it is cut into other tokens; some 8 µs per token.
        max_tokens: of all histories together; beyond that the least recently used ones let go of older answers. A
            token takes about 170 bytes (some 420 at the worst), of which 50 are left after a restart.
        max_segments: names that are known at a time; beyond that the least recently used one is forgotten.
        Raises ValueError where one of these two is no whole number >= 1, TypeError where `vocabulary` is not of bytes.
        """
        self.survival = Survival() if survival is None else survival
        self._vocabulary = None if vocabulary is None else checked_vocabulary(vocabulary)
        self._limits = max_tokens, max_segments
        self._segments = Segments(max_tokens, max_segments)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along: settings, and what was learnt of all traffic; no segment, and no text."""
        return {"lessons": self.survival.lessons(), "vocabulary": self._vocabulary, "limits": self._limits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin as a new one that has learnt the same."""
        max_tokens, max_segments = state["limits"]
        self.__init__(vocabulary=state["vocabulary"], max_tokens=max_tokens, max_segments=max_segments)  # type: ignore[misc]
        self.survival.take_over(state["lessons"])

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdaptiveLookupSession":
        """Start a row of traffic of the kind `segment`; without one nothing is read from a history or kept in it.

        references: texts `int32[n]` that this row may copy from.
        """
        return AdaptiveLookupSession(self, self._segments.open(segment), references)

    def propose_all(
        self, sessions: Sequence["AdaptiveLookupSession"], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        """Draft for all of `sessions`, which this drafter has opened, as `propose` of each would."""
        return core.propose_all([session.row for session in sessions], max_tokens, min_survival)

    def refer(self, segment: str, references: Sequence[TokenArray], *, cache_salt: str | None = None) -> None:
        """Let all rows of `segment` copy from `references`: a style guide, a code base, a template.

        references: token ids, each `int32[n]`. They replace earlier ones; the same ones again cost nothing,
        none drop them. Rows in progress keep what they began with. They are never let go of, and saved.
        cache_salt: of the tenant whose rows these are; another one's do not copy from them.

        Raises HistoryError where the references of all segments would take more than half of `max_tokens`, or all
        of `max_segments`; TypeError for what is no list of texts of token ids. What was there before then stays.
        """
        self._segments.refer(_key(segment, cache_salt), checked_references(references))

    def forget(self, segment: str, *, cache_salt: str | None = None) -> None:
        """Drop all that is kept of `segment`: answers and references; nothing happens where nothing is kept.

        cache_salt: of the tenant whose segment it is.

        Rows that are in progress still copy from it; what they write is not kept either. Files saved before still
        hold it: save again.
        """
        self._segments.forget(_key(segment, cache_salt))

    @property
    def segments(self) -> dict[str, int]:
        """How many tokens are kept of each segment, references and answers, the least recently used one first.

        A tenant's is known by a digest of its salt.
        """
        return self._segments.num_tokens()

    def save(self, path: str | PathLike[str], fingerprint: str) -> None:
        """Put histories, references and what was learnt into a file, readable to its owner alone.

        fingerprint: tells the tokenizer whose ids these are from all others. A process that is killed meanwhile
        leaves the earlier file as it was. The file holds what the segments wrote, as token ids.

        Raises OSError where the file cannot be written, and for what is never replaced: devices, pipes, folders, links
        of others or to files of others. It says which file is in place, as a rule the earlier one.
        """
        save(Path(path), fingerprint, self.survival, self._segments)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        fingerprint: str,
        *,
        vocabulary: Sequence[bytes] | None = None,
        max_tokens: int = MAX_TOKENS,
        max_segments: int = MAX_SEGMENTS,
        max_bytes: int = MAX_BYTES,
    ) -> Self:
        """A drafter that goes on where the one that was saved had come to.

        vocabulary, max_tokens, max_segments: as for a new one; what is too much is let go of. Weights that an ngramspec
        with other features has learnt are learnt anew. max_bytes: a larger file is refused before it is read.

        Whoever can write the file decides what is drafted, and so how fast a text comes; never which text.

        Raises HistoryError for a file of another tokenizer (its fingerprint differs) or version, a damaged, truncated
        or forged one, for what is no regular file, and for references that are too many; OSError where the file cannot
        be read.
        """
        drafter = cls(vocabulary=vocabulary, max_tokens=max_tokens, max_segments=max_segments)
        load(Path(path), fingerprint, drafter.survival, drafter._segments, max_bytes)
        return drafter


def _key(segment: str, cache_salt: str | None) -> str:
    key = salted(segment, cache_salt)
    assert key is not None
    return key


class AdaptiveLookupSession:
    """One row, and what its segment will keep of it.

    drafter: the one that opened it. row: of the core.
    """

    def __init__(self, drafter: AdaptiveLookup, segment: Segment, references: Sequence[TokenArray]) -> None:
        """Start with the references `int32[n]`, read before the prompt."""
        self.drafter = drafter
        self.row = Row(drafter.survival, segment.history.index, references, drafter._vocabulary)
        self._segment = segment
        self._grams: list[int] | None = None  # the sketch of the prompt, once that was read

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`; the first call brings the prompt."""
        if self._grams is None:
            self._begin(tokens)
        else:
            self.row.extend(tokens)

    def _begin(self, prompt: TokenArray) -> None:
        self._grams, similar = [], -1
        if self._segment.name is not None:
            self._grams = sketch(prompt)
            similar = self.drafter._segments.similar(self._segment, self.row.history, self._grams)
        self.row.begin(prompt, similar)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens, as long as they survive with a probability of `min_survival`."""
        return self.row.propose(max_tokens, min_survival)

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose`, in conversation with a grammar: at each position the surest that it allows."""
        return self.row.propose(max_tokens, min_survival, steering)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing here: the committed tokens say more."""

    def close(self) -> None:
        """The row is over: keep its answer in the history."""
        if self._grams is not None:
            answer = np.array(self.row.answer[1:], np.int32)
            self.drafter._segments.keep(self._segment, self._grams, answer)
