"""A model that is fed as plain `generate()` feeds it: all rows begin a pass at the same slot.

Some families know no position per row, or make their mask from two dimensions (alibi), or read more than ids (images,
an encoder's output). Their inputs are best prepared by themselves. So a pass starts at the first slot that some live
row lacks, and rows that are ahead are read anew from there, then their drafts:

    row 0    p d d d .               the last chosen token p and the draft d of the row that is most behind
    row 1    k k p d d               known tokens k are read again, and cost only their columns

So rows need not wait for each other, as long as they are not further apart than `REACH`.
"""

from collections.abc import Sequence as Rows
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import Plan, Sequence, Shape, Verdict
from ngramspec.drafting.types import NO_DRAFT, Draft
from ngramspec.hf.cache import RaggedCache
from ngramspec.hf.choosing import Candidate, Chooser, has_poison
from ngramspec.hf.request import Request
from ngramspec.hf.rows import Row, rows_of
from ngramspec.hf.seam import CACHE, grown, inputs_in_line, prefill, with_cache
from ngramspec.hf.support import windows_of
from ngramspec.hf.text import Text

REACH = 4
"""Tokens by which a row may be ahead of the slowest and still be moved on."""

ROOM = 256
"""Columns by which the text grows."""


class AlignedTarget:
    """Checks drafts with inputs, masks and positions that the model prepares itself."""

    def __init__(self, request: Request, text: Text, chooser: Chooser | None, outputs: Any = None) -> None:
        """Start with what the request's cache holds; `text` is what `chooser` emits to.

        outputs: what the model said of the prompts, where the cache holds them already.
        """
        self._model = request.model
        self._request = request
        self._text = text
        self._chooser = chooser
        self._cache = RaggedCache(len(windows_of(request.model)), request.most_slots)
        request.cache.copy_to(self._cache)
        self._prompt_kwargs = {**request.model_kwargs, CACHE: request.cache.around(self._cache)}
        self._kwargs = self._prompt_kwargs
        self._first_slot = request.num_slots - request.input_ids.shape[1]
        self._ids = request.input_ids
        self._outputs = None if outputs is None else with_cache(outputs, self._prompt_kwargs[CACHE])
        self._num_covered = request.num_slots
        """Slots that `self._kwargs` speak of."""

    def shape(self, sequences: Rows[Sequence]) -> Shape:
        """See `decoding.Target`."""
        places = [row.num_cached for row in rows_of(sequences)]
        width = max(places) - min(places) + max(row.pending.size for row in sequences)
        return Shape(len(self._ids), width, width * len(self._ids), max(places))

    def verify(self, plans: Rows[Plan]) -> list[Verdict]:
        """One forward pass; the first one reads the prompts, and takes no drafts. See `decoding.Target`."""
        rows = rows_of([plan.sequence for plan in plans])
        assert self._chooser is not None
        self._chooser.begin(rows, plans)
        if self._outputs is None:
            logits = self._read_prompts()[:, -1:]
            return self._chooser.choose([Candidate(row.index, NO_DRAFT, logits, row.index, 0) for row in rows])
        candidates = self.read(rows, [plan.draft for plan in plans])
        if has_poison(candidates):
            start = min(row.num_cached for row in rows)
            self._cache.wipe(dict.fromkeys(range(len(self._ids)), start))
            candidates = self.read(rows, [Draft(NO_DRAFT)] * len(rows))
        return self._chooser.choose(candidates)

    def read(self, rows: Rows[Row], drafts: Rows[Draft]) -> list[Candidate]:
        """Read what rows lack and their drafts in one pass, and judge nothing."""
        start = min(row.num_cached for row in rows)
        ends = [row.num_cached + 1 + draft.tokens.size for row, draft in zip(rows, drafts, strict=True)]
        block = self._known(start, max(ends) - start)
        for row, draft, end in zip(rows, drafts, ends, strict=True):
            block[row.index, row.num_cached + 1 - start : end - start] = torch.tensor(draft.tokens, device="cpu")
        logits = self._forward(block, start)
        return [
            Candidate(row.index, draft.tokens, logits, row.index, row.num_cached - start)
            for row, draft in zip(rows, drafts, strict=True)
        ]

    def in_reach(self, rows: Rows[Row]) -> Rows[Row]:
        """The live rows that the next pass can move on."""
        start = min(row.num_cached for row in rows)
        return [row for row in rows if row.num_cached <= start + REACH]

    def finish(self, rows: Rows[Row], num_slots: int) -> Any:
        """Read what the last pass left out; returns the cache, with `num_slots` keys per row that are plain's."""
        start = min(row.num_cached for row in rows)
        if start < num_slots:
            self._forward(self._known(start, num_slots - start), start)
        return self._kwargs[CACHE]

    def _known(self, start: int, width: int) -> Tensor:
        """The tokens committed to the slots from `start` on, `int64[B, width]`, padded."""
        first = start - self._request.num_slots
        block = torch.full((len(self._ids), width), self._text.pad_token, device="cpu")
        for row, emitted in enumerate(self._text.emitted):
            known = emitted[first : first + width]
            block[row, : len(known)] = torch.tensor(known, device="cpu")
        return block

    def _read_prompts(self) -> Tensor:
        """Read the prompts as plain `generate()` does; returns the logits `[B, n, V]`, the last column counts."""
        model, cached = self._model, self._request.cache.length
        self._cache.place_run(cached, self._request.num_slots - cached)
        self._outputs = prefill(model, self._ids, self._request.config, self._kwargs)
        logits: Tensor = self._outputs.logits
        return logits

    def _forward(self, block: Tensor, start: int) -> Tensor:
        """Read `block` `int64[B, W]` at the slots from `start` on; returns its logits `[B, W, V]`."""
        width = block.shape[1]
        end = start + width - self._first_slot
        if end > self._ids.shape[1]:
            self._ids = torch.nn.functional.pad(self._ids, (0, end - self._ids.shape[1] + ROOM))
        self._ids[:, end - width : end] = block.to(self._ids.device)
        if start < self._num_covered:  # what is behind the end of a row is read again, when all have finished
            self._num_covered, self._kwargs = self._request.num_slots, self._prompt_kwargs
        self._kwargs = grown(self._model, self._outputs, self._kwargs, start - self._num_covered)
        self._num_covered = start
        kwargs = grown(self._model, self._outputs, self._kwargs, width)
        if "logits_to_keep" in kwargs:
            kwargs["logits_to_keep"] = width
        self._cache.place_run(start, width)
        inputs = inputs_in_line(self._model, self._ids[:, :end], width, kwargs)
        self._outputs = self._model(**inputs, return_dict=True)
        logits: Tensor = self._outputs.logits
        return logits[:, -width:]
