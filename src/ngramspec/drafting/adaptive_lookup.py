"""Lookup in the row's own text and in its segment's history, weighted by what has proved right."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from ngramspec.drafting import core
from ngramspec.drafting.core import Row, Survival, TokenBytes, packed, warn_if_slow
from ngramspec.drafting.references import checked_references
from ngramspec.drafting.salting import salted
from ngramspec.drafting.saving import load, save
from ngramspec.drafting.segments import Segment, Segments
from ngramspec.drafting.sketch import sketch
from ngramspec.drafting.types import Draft, Likely, Steering, TokenArray
from ngramspec.files.whole_file import MAX_BYTES

MAX_TOKENS = 1 << 21
"""Default bound on the tokens of all histories together."""

MAX_SEGMENTS = 1024
"""Default bound on the number of segments."""


class AdaptiveLookup:
    """Drafts, token by token, the continuation of the surest of several matches.

    Matches are looked up in the row's own text (references, prompt, output) and, if a segment is named, in the earlier
    answers of that segment. Copies in progress continue after tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each match is, alone and together with others, is learnt
    (`core/plain/survival.py`).

    The history is from suffix decoding (Oliaro et al. 2024); continuing a copy after a mismatch is from
    lpaq's match model (Mahoney 2007).

    All histories are bounded together. No segment reads the history of another. Nothing is kept until a segment is
    named, and a history survives a restart if it is saved.
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

        survival: weights to begin with; default: those learnt from recorded traffic.
        vocabulary: the bytes of each token, such as `Vocabulary.of(tokenizer).tokens`. With it a row also copies from
            positions whose bytes match its end although the tokens differ; costs about 1 µs per token.
        max_tokens: bound on all histories together; above it the least recently used ones drop their older answers. A
            token takes about 50 bytes (120 at worst), sketches of prompts included; three times that in plain Python.
        max_segments: bound on the number of segments; above it the least recently used one is dropped.

        Raises ValueError unless both bounds are whole numbers >= 1, TypeError unless `vocabulary` consists of bytes.
        """
        self.survival = Survival() if survival is None else survival
        self._vocabulary = None if vocabulary is None else TokenBytes(vocabulary)
        self._limits = max_tokens, max_segments
        self._segments = Segments(max_tokens, max_segments)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles contain settings and learnt weights, but no segment and no text."""
        vocabulary = None if self._vocabulary is None else self._vocabulary.tokens
        learnt = self.survival.parameters(), self.survival.mixing()
        return {"learnt": learnt, "vocabulary": vocabulary, "limits": self._limits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin without a history, with the same settings and learnt weights."""
        max_tokens, max_segments = state["limits"]
        self.__init__(vocabulary=state["vocabulary"], max_tokens=max_tokens, max_segments=max_segments)  # type: ignore[misc]
        self.survival.take_over(*state["learnt"])

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdaptiveLookupSession":
        """Start a row of the segment named `segment`; without a name no history is read or kept.

        references: texts `int32[n]` that this row may copy from.
        """
        warn_if_slow()
        return AdaptiveLookupSession(self, self._segments.open(segment), references)

    def propose_all(
        self, sessions: Sequence["AdaptiveLookupSession"], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        """Draft for all of `sessions`, which this drafter has opened, as by each one's `propose`."""
        return core.propose_all([session.row for session in sessions], max_tokens, min_survival)

    def propose_trees(
        self, sessions: Sequence["AdaptiveLookupSession"], max_nodes: Sequence[int], min_survival: float = 0.0
    ) -> Sequence[Draft]:
        """Draft trees for all of `sessions`, which this drafter has opened, as by each one's `propose_tree`."""
        if min_survival <= 0.0:
            return self.propose_all(sessions, max_nodes)
        return core.propose_trees([session.row for session in sessions], max_nodes, min_survival)

    def refer(self, segment: str, references: Sequence[TokenArray], *, cache_salt: str | None = None) -> None:
        """Let all rows of `segment` copy from `references`: a style guide, a code base, a template.

        references: token ids, each `int32[n]`. They replace earlier ones; passing the same ones again costs nothing, an
        empty list removes them. Rows in progress keep the ones they began with. References are never dropped to make
        room, and are saved.
        cache_salt: of the tenant whose rows may copy from them; those of other tenants do not.

        Raises HistoryError if the references of all segments would take more than half of `max_tokens`, or all of
        `max_segments`; TypeError unless `references` is a list of texts as token ids. Then the earlier ones stay.
        """
        self._segments.refer(_key(segment, cache_salt), checked_references(references))

    def forget(self, segment: str, *, cache_salt: str | None = None) -> None:
        """Drop everything kept for `segment`, answers and references; an unknown segment is not an error.

        cache_salt: of the tenant whose segment it is.

        Rows in progress still copy from it, but their answers are not kept. Files saved earlier still have it, so save
        again.
        """
        self._segments.forget(_key(segment, cache_salt))

    @property
    def segments(self) -> dict[str, int]:
        """Tokens kept per segment, references and answers, the least recently used segment first.

        The name of a tenant's segment contains a digest of its salt.
        """
        return self._segments.num_tokens()

    def save(self, path: str | PathLike[str], fingerprint: str) -> None:
        """Write histories, references and learnt weights to a file that only its owner can read.

        fingerprint: identifies the tokenizer that the ids belong to. If the process is killed meanwhile, the earlier
        file is intact. The file contains the texts of the segments, as token ids.

        Raises OSError if the file cannot be written, or must not be replaced: a device, a pipe, a folder, a link that
        belongs to or leads to another user's. The error says which file is in place, usually the earlier one.
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
        """A drafter that continues from the saved state.

        vocabulary, max_tokens, max_segments: as for a new one; what exceeds the bounds is dropped. Weights of an
        ngramspec with other features are discarded and learnt again. max_bytes: a larger file is refused unread.

        Write access to the file gives control over what is drafted, and so over speed, but never over the text.

        Raises HistoryError for a file of another tokenizer (the fingerprint differs) or version, for a damaged,
        truncated or forged file, one that is not a regular file, or one with too many references; OSError if the file
        cannot be read.
        """
        drafter = cls(vocabulary=vocabulary, max_tokens=max_tokens, max_segments=max_segments)
        load(Path(path), fingerprint, drafter.survival, drafter._segments, max_bytes)
        return drafter


def _key(segment: str, cache_salt: str | None) -> str:
    key = salted(segment, cache_salt)
    assert key is not None
    return key


class AdaptiveLookupSession:
    """Drafts for one row, and keeps its answer in its segment.

    drafter: the one that opened it. row: the row of the core.
    """

    def __init__(self, drafter: AdaptiveLookup, segment: Segment, references: Sequence[TokenArray]) -> None:
        """Start with the references `int32[n]`, read before the prompt."""
        self.drafter = drafter
        self.row = Row(drafter.survival, segment.history.index, references, drafter._vocabulary)
        self._segment = segment
        self._grams: list[int] | None = None  # the sketch of the prompt, once that was read
        self._likely: TokenArray | None = None

    def extend(self, tokens: TokenArray) -> None:
        """Append committed tokens `int32[n]` to the text; the first call brings the prompt."""
        likely, self._likely = self._likely, None
        if self._grams is None:
            self._begin(tokens)  # nothing was chosen
        else:
            self.row.extend(tokens, likely)

    def heed(self, likely: Likely) -> None:
        """Note the model's likeliest tokens at the positions of the next `extend`."""
        self._likely = packed(likely.tokens, likely.chances)

    def _begin(self, prompt: TokenArray) -> None:
        self._grams, similar = [], -1
        if self._segment.name is not None:
            self._grams = sketch(prompt)
            similar = self.drafter._segments.similar(self._segment, self.row.history, self._grams)
        self.row.begin(prompt, similar)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens whose survival is at least `min_survival`."""
        return self.row.propose(max_tokens, min_survival)

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        """Draft a tree around the chain, of up to `max_nodes` nodes whose survival is at least `min_survival`.

        At 0.0, draft only the chain: then nothing is weighed, and other rows' lessons decide nothing.
        """
        return self.propose(max_nodes) if min_survival <= 0.0 else self.row.propose_tree(max_nodes, min_survival)

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose`, within a grammar: at each position the surest token that `steering` allows."""
        return self.row.propose(max_tokens, min_survival, steering)

    def steer_tree(self, max_nodes: int, min_survival: float, steering: Steering) -> Draft:
        """As `propose_tree`, around the chain of `steer`; `steering` is not asked about the other nodes."""
        if min_survival <= 0.0:
            return self.steer(max_nodes, min_survival, steering)
        return self.row.propose_tree(max_nodes, min_survival, steering)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Do nothing: `extend` learns from the committed tokens, which carry more information."""

    def close(self) -> None:
        """The row has ended: keep its answer in the history."""
        if self._grams is not None and self._segment.name is not None:
            self.drafter._segments.keep(self._segment, self._grams, self.row.answer)
