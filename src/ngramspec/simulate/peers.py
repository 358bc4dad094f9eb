"""Other projects' drafting rules as drafters of ours, so that all go through the same replay."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft, DraftSession, TokenArray, Tree


class EarliestMatch:
    """The earliest position of the longest match of `min_match` to `max_match` tokens.

    transformers' prompt lookup (generation/candidate_generator.py) with 1 to 2 tokens by default, vLLM's ngram
    (v1/spec_decode/ngram_proposer.py) with 5 to 5: both copy what follows that position, as far as the text goes. They
    rescan the text, this keeps a dictionary: the drafts are the same, and its time says nothing about theirs.
    """

    is_latest = False

    def __init__(self, *, min_match: int, max_match: int) -> None:
        """Match `min_match` to `max_match` tokens."""
        self._lengths = range(max_match, min_match - 1, -1)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        """Start a row."""
        return _MatchSession(self._lengths, is_latest=self.is_latest)


class LatestMatch(EarliestMatch):
    """The latest position instead, as in the n-grams of vLLM's second model runner."""

    is_latest = True


class _MatchSession:
    def __init__(self, lengths: range, *, is_latest: bool) -> None:
        self._lengths, self._is_latest = lengths, is_latest
        self._text: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}  # n-gram -> the position after it

    def extend(self, tokens: TokenArray) -> None:
        # Nothing follows the end of the text, so an n-gram is entered when a token follows it.
        for token in tokens.tolist():
            end = len(self._text)
            for length in self._lengths:
                if length <= end:
                    self._enter(tuple(self._text[end - length :]), end)
            self._text.append(token)

    def _enter(self, ngram: tuple[int, ...], end: int) -> None:
        if self._is_latest:
            self._after[ngram] = end
        else:
            self._after.setdefault(ngram, end)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        for length in self._lengths:
            start = self._after.get(tuple(self._text[-length:])) if length <= len(self._text) else None
            if start is not None:
                return Draft(np.array(self._text[start : start + max_tokens], np.int32))
        return Draft(NO_DRAFT)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


class SuffixTree:
    """Suffix decoding (Oliaro et al. 2024) by the arctic-inference package.

    It copies at most `factor` times as many tokens as matched, and `offset` more (the package's defaults: 1 and 0), and
    stops where the draft's probability falls below `least`. Its probabilities, each that of the draft up to a token,
    serve as survival. For a target that takes trees it drafts them (`use_tree_spec`).
    """

    def __init__(
        self,
        *,
        max_depth: int = 64,
        factor: float = 1.0,
        offset: float = 0.0,
        least: float = 0.1,
        keeps_outputs: bool = False,
    ) -> None:
        """Build trees of `max_depth`; raises ImportError if the package is missing.

        keeps_outputs: keep what the rows of a segment have written, without a bound, in a tree from which all of its
            rows draft. A segment has a tree of its own, so nothing crosses to another one. Rows without a segment draft
            from their own text alone, and so do all rows if it is False.
        """
        self._cache_class = import_module("arctic_inference.suffix_decoding").SuffixDecodingCache
        self._max_depth, self._limits, self._keeps_outputs = max_depth, (factor, offset, least), keeps_outputs
        self._kept: dict[str, Any] = {}
        self._num_rows = 0

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        """Start a row."""
        self._num_rows += 1
        return _SuffixTreeSession(self._cache(segment), self._num_rows, self._max_depth, self._limits)

    def _cache(self, segment: str | None) -> Any:
        if segment is None or not self._keeps_outputs:
            return self._cache_class(self._max_depth, 0)
        if segment not in self._kept:
            self._kept[segment] = self._cache_class(self._max_depth, -1)
        return self._kept[segment]


class _SuffixTreeSession:
    def __init__(self, cache: Any, row: int, max_depth: int, limits: tuple[float, float, float]) -> None:
        self._cache = cache
        self._row = row
        self._max_depth = max_depth
        self._factor, self._offset, self._least = limits
        self._context = NO_DRAFT
        self._started = False

    def extend(self, tokens: TokenArray) -> None:
        if self._started:
            self._cache.add_active_response(self._row, tokens)
        else:
            self._cache.start_request(self._row, tokens)
            self._started = True
        self._context = np.concatenate((self._context, tokens))[-self._max_depth :]

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        draft = self._speculated(max_tokens, branches=False)
        return Draft(np.array(draft.token_ids, np.int32), np.array(draft.probs, float)) if draft else Draft(NO_DRAFT)

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Draft:
        draft = self._speculated(max_nodes, branches=True)
        if not draft:
            return Draft(NO_DRAFT)
        tokens, parents = np.array(draft.token_ids, np.int32), np.array(draft.parents, np.int32)
        return Tree(tokens, np.array(draft.probs, float), parents=parents)

    def _speculated(self, max_tokens: int, *, branches: bool) -> Any:
        """The package's draft, or None."""
        if max_tokens <= 0 or not self._started:
            return None
        return self._cache.speculate(
            self._row,
            self._context,
            max_spec_tokens=max_tokens,
            max_spec_factor=self._factor,
            max_spec_offset=self._offset,
            min_token_prob=self._least,
            use_tree_spec=branches,
        )

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        if self._started:
            self._cache.stop_request(self._row)
