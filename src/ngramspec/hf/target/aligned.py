"""Aligned rows: for models that must be fed as in plain `generate()`, so all rows begin a pass at the same slot.

Some families take no position per row, make their mask from two dimensions (alibi), or read more than ids (images, an
encoder's output). Such models prepare their inputs themselves. A pass starts at the first slot that some live row
lacks. Rows that are ahead are read again from there, then their drafts:

    row 0    p d d d .               the last chosen token p and the draft d of the slowest row
    row 1    k k p d d               known tokens k are read again, which costs only their columns

So rows need not wait for each other, as long as they are at most `REACH` apart.
"""

from collections.abc import Sequence as Rows
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import Plan, Reading, Row, Shape, Target
from ngramspec.hf.facts.layers import windows_of
from ngramspec.hf.rows.logits import PassLogits
from ngramspec.hf.rows.orders import begin, choices_of
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import REACH, ModelRow, model_rows
from ngramspec.hf.seam import CACHE, grown, inputs_in_line, prefill, with_cache
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_transfer import beside_cross_attention, load

ROOM = 256
"""Columns by which the tensor of ids grows."""


class AlignedTarget(Target):
    """Verifies drafts with inputs, masks and positions that the model prepares itself."""

    def __init__(self, request: Request, rows: Rows[ModelRow], outputs: Any = None) -> None:
        """Start with the content of the request's cache.

        rows: of the request, in order. outputs: the model's output for the prompts, if the cache already has them.
        """
        self._model = request.model
        self._request = request
        self._rows = rows
        self._cache = RaggedCache(len(windows_of(request.model)), request.most_slots)
        load(request.cache, self._cache)
        self._prompt_kwargs = {**request.model_kwargs, CACHE: beside_cross_attention(request.cache, self._cache)}
        self._kwargs = self._prompt_kwargs
        self._first_slot = request.num_slots - request.input_ids.shape[1]
        self._ids = request.input_ids
        self._outputs = None if outputs is None else with_cache(outputs, self._prompt_kwargs[CACHE])
        self._num_covered = request.num_slots
        """Slots that `self._kwargs` cover."""

    def shape(self, rows: Rows[Row]) -> Shape:
        """See `decoding.Target`."""
        return self._shape(rows, [row.num_cached + len(row.pending) for row in rows])

    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass; the first one reads the prompts, and takes no drafts. See `decoding.Target`."""
        rows = model_rows([plan.row for plan in plans])
        begin(plans)
        if self._outputs is None:
            size, lines = len(rows), [row.index for row in rows]
            logits = PassLogits(self._read_prompts()[:, -1:], rows, [[]] * size, lines, [0] * size)
            return Reading(self.shape(rows), *choices_of(logits))
        logits = self.read_logits(rows, [plan.draft.tokens.tolist() for plan in plans])
        if logits.has_nan:
            start = min(row.num_cached for row in rows)
            self._cache.wipe(dict.fromkeys(range(len(self._ids)), start))
            logits = self.read_logits(rows, [[]] * len(rows))
        ends = [row.num_cached + 1 + len(draft) for row, draft in zip(rows, logits.drafts, strict=True)]
        return Reading(self._shape(rows, ends), *choices_of(logits))

    def ready(self, rows: Rows[Row]) -> Rows[Row]:
        """The live rows that the next pass can advance."""
        start = min(row.num_cached for row in rows)
        return [row for row in rows if row.num_cached <= start + REACH]

    def read_logits(self, rows: Rows[ModelRow], drafts: Rows[list[int]]) -> PassLogits:
        """Read the tokens that rows lack, and their drafts, in one pass."""
        start = min(row.num_cached for row in rows)
        ends = [row.num_cached + 1 + len(draft) for row, draft in zip(rows, drafts, strict=True)]
        block = self._known(start, max(ends) - start)
        for row, draft, end in zip(rows, drafts, ends, strict=True):
            block[row.index, row.num_cached + 1 - start : end - start] = torch.tensor(draft, device="cpu")
        logits = self._forward(block, start)
        return PassLogits(logits, rows, drafts, [row.index for row in rows], [row.num_cached - start for row in rows])

    def _shape(self, rows: Rows[Row], ends: list[int]) -> Shape:
        """The shape of a pass that reads each row up to its slot in `ends`."""
        slots = [row.num_cached for row in rows]
        width = max(ends) - min(slots)
        return Shape(len(self._ids), width, width * len(self._ids), max(slots))

    def finish(self, rows: Rows[ModelRow], num_slots: int) -> Any:
        """Read the remaining tokens; returns the cache, with `num_slots` keys per row as after plain decoding."""
        start = min(row.num_cached for row in rows)
        if start < num_slots:
            self._forward(self._known(start, num_slots - start), start)
        return self._kwargs[CACHE]

    def _known(self, start: int, width: int) -> Tensor:
        """The committed tokens of the slots from `start` on, `int64[B, width]`, padded."""
        first = start - self._request.num_slots
        block = torch.full((len(self._ids), width), self._rows[0].pad_token, device="cpu")
        for row in self._rows:
            known = row.emitted[first : first + width]
            block[row.index, : len(known)] = torch.tensor(known, device="cpu")
        return block

    def _read_prompts(self) -> Tensor:
        """Read the prompts as plain `generate()` does; returns the logits `[B, n, V]`; only the last column counts."""
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
        if start < self._num_covered:  # once all rows have finished, padding after a row's end is read
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
