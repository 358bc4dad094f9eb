"""Rows apart: for models that take a position per token and a mask per query, so each row has slots of its own."""

from collections.abc import Sequence as Rows
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import Plan, Reading, Row, Shape, Target
from ngramspec.drafting.types import NO_DRAFT, Draft
from ngramspec.hf.facts.layers import windows_of
from ngramspec.hf.rows.logits import PassLogits, RowLogits, has_poison
from ngramspec.hf.rows.orders import begin, choices_of
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow, model_rows
from ngramspec.hf.seam import CACHE, attention_of, takes_logits_to_keep
from ngramspec.hf.target.attention import folded
from ngramspec.hf.target.attention_mask import additive_mask, attention_mask
from ngramspec.hf.target.block import Block, BlockRow, block_row, make_block
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_transfer import load
from ngramspec.hf.types import Model


class RaggedTarget(Target):
    """Reads the drafts of all rows in one pass, each row at its own slot: no row waits for another.

    The rows that are read have the first lines of the cache. A row that leaves is exchanged with the last of them, and
    then costs nothing.
    """

    def __init__(self, model: Model, device: torch.device, most_slots: int | None = None) -> None:
        """device: of the ids. most_slots: the most that a text may take."""
        self._model = model
        self._windows = windows_of(model)
        self._cache = RaggedCache(len(self._windows), most_slots)
        # Under accelerate's offloading the model itself is on no device.
        self._device = device if model.device.type == "meta" else model.device
        self._prompt_mask: Tensor | None = None
        self._held: list[ModelRow] = []
        self._keeps_rows = False
        self._is_eager = attention_of(model) == "eager"
        self._keeps_logits = takes_logits_to_keep(model)

    @classmethod
    def of(cls, request: Request, rows: Rows[ModelRow]) -> "RaggedTarget":
        """A target for the `rows` of one request, which starts with what the request's cache holds."""
        target = cls(request.model, request.input_ids.device, request.most_slots)
        load(request.cache, target._cache)
        target._prompt_mask = request.mask  # a copy, because rows are exchanged in it
        if target._prompt_mask is not None:
            target._prompt_mask = target._prompt_mask.to(target._device, torch.bool, copy=True)
        target._held = list(rows)
        target._keeps_rows = request.keeps_cache or request.has_strangers
        return target

    def shape(self, rows: Rows[Row]) -> Shape:
        """See `decoding.Target`."""
        return self._shape(model_rows(rows), [row.pending.size for row in rows])

    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass over all rows; see `decoding.Target`."""
        rows = model_rows([plan.row for plan in plans])
        begin(plans)
        shares = self.read_logits(rows, [plan.draft for plan in plans])
        if has_poison(shares):
            lines = self._lines(rows)
            self._cache.wipe({line: self._held[line].num_cached for line in range(lines.start, lines.stop)})
            shares = self.read_logits(rows, [Draft(NO_DRAFT)] * len(rows))
        widths = [row.pending.size + share.draft.size for row, share in zip(rows, shares, strict=True)]
        return Reading(self._shape(rows, widths), choices_of(shares))

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """See `decoding.Target`."""
        (own,) = model_rows([row])
        share = block_row(own, Draft(NO_DRAFT), num_tokens)
        self._forward(make_block([share]), self._lines([own]).start)
        return row.num_cached + num_tokens

    def leave(self, row: Row) -> None:
        """Stop reading a row that has ended, unless the cache is kept or the model may depend on the row index."""
        if self._keeps_rows:
            return
        line, last = self._held.index(model_rows([row])[0]), len(self._held) - 1
        if line != last:
            moved = self._held[last]
            self._cache.swap(line, last, max(self._held[line].num_cached, moved.num_cached))
            self._held[line] = moved
            if self._prompt_mask is not None:
                self._prompt_mask[line] = self._prompt_mask[last]
        self._held.pop()
        if self._prompt_mask is not None:
            kept = self._prompt_mask[:last]
            self._prompt_mask = None if bool(kept.all()) else kept

    def read_logits(self, rows: Rows[ModelRow], drafts: Rows[Draft]) -> list[RowLogits]:
        """Read the pending tokens and the drafts of all rows in one pass."""
        lines = self._lines(rows)
        logits = PassLogits(self._forward(self._block(rows, drafts, lines), lines.start))
        numbers = {row: number for number, row in enumerate(self._held[lines])}
        width = logits.logits.shape[1]
        return [
            RowLogits(row, draft.tokens, logits, numbers[row], width - 1 - draft.tokens.size)
            for row, draft in zip(rows, drafts, strict=True)
        ]

    def finish(self, rows: Rows[ModelRow], num_slots: int) -> Any:
        """Read the padding after rows that ended early; returns the cache, with `num_slots` keys per row."""
        for row in rows:
            row.pad_to(num_slots)
        if any(row.pending.size for row in rows):
            self._forward(make_block([block_row(row, Draft(NO_DRAFT)) for row in rows]))
        return self._cache

    def _shape(self, rows: Rows[ModelRow], widths: Rows[int]) -> Shape:
        lines = self._lines(rows)
        context = max(row.num_cached for row in rows)
        return Shape(lines.stop - lines.start, max(widths), sum(widths), context)

    def _lines(self, rows: Rows[ModelRow]) -> slice:
        """The run of lines that a pass over `rows` reads."""
        if self._keeps_rows or len(rows) == len(self._held):
            return slice(0, len(self._held))
        lines = [self._held.index(row) for row in rows]
        return slice(min(lines), max(lines) + 1)

    def _block(self, rows: Rows[ModelRow], drafts: Rows[Draft], lines: slice) -> Block:
        """The rectangle of this pass; in it, rows that have ended and are still held read what they have left."""
        live = {row: block_row(row, draft) for row, draft in zip(rows, drafts, strict=True)}
        width = max(row.width for row in live.values())
        slots = max(row.num_cached + row.pending.size for row in rows)
        return make_block([live.get(row) or self._ended(row, width, slots) for row in self._held[lines]])

    def _ended(self, row: ModelRow, width: int, slots: int) -> BlockRow:
        """The share of a row that has ended: fill, or where the cache is kept the padding that plain decoding reads.

        It takes no more columns than the pass has anyway; padding that is left over takes a pass of its own at the end.
        slots: how many of each row will certainly have to be read.
        """
        num_read = min(width, slots - row.num_cached)
        if num_read <= 0:
            return BlockRow(row.num_cached, row.pending[:0], row.pending[:0], 0)
        row.pad_to(row.num_cached + num_read)
        share = block_row(row, Draft(NO_DRAFT))
        row.num_cached, row.pending = row.num_cached + num_read, row.pending[:0]
        return share

    def _forward(self, block: Block, first_line: int = 0) -> Tensor:
        """Read the block; returns the logits `[R, K + 1, V]` of its last columns.

        first_line: the line of its first row; the others follow.
        """
        token_ids, position_ids, slots = torch.from_numpy(block.inputs).to(self._device)
        self._cache.place(slots, block.extent, block.first, first_line)
        arguments: dict[str, Any] = {CACHE: self._cache}
        if self._keeps_logits:
            arguments["logits_to_keep"] = block.num_logits
        is_plain = self._is_plain(block)
        with nullcontext() if is_plain else folded():
            output = self._model(
                input_ids=token_ids,
                attention_mask=self._mask_2d(block) if is_plain else self._masks(slots, block),
                position_ids=position_ids,
                use_cache=True,
                return_dict=True,
                **arguments,
            )
        logits: Tensor = output.logits
        return logits[:, -block.num_logits :]

    def _is_plain(self, block: Block) -> bool:
        """Whether plain `generate()` would read this block too: the prompt, or one token more of rows of one length."""
        is_next = block.first is not None and block.width == 1 and self._prompt_mask is None
        return self._cache.placement.is_alone or is_next

    def _mask_2d(self, block: Block) -> Tensor | None:
        """`[R, Q]`, or None where nothing is padded; the model makes its own mask of it, as in plain `generate()`.

        So a prefill of 8 k tokens runs the causal kernel instead of reading a mask of 64 M entries, and a pass over one
        token reads no mask at all.
        """
        if self._prompt_mask is None:
            return None
        rows, width = block.inputs.shape[1:]
        drafted = self._prompt_mask.new_ones((rows, width - self._prompt_mask.shape[1]))
        return torch.cat([self._prompt_mask, drafted], dim=1)

    def _masks(self, slots: Tensor, block: Block) -> Any:
        """What each query sees: one mask for all layers or, in models that mix them, one per layer type."""
        windows = set(self._windows)
        if len(windows) == 1:
            return self._mask(slots, block, windows.pop())
        return {
            "full_attention" if window is None else "sliding_attention": self._mask(slots, block, window)
            for window in windows
        }

    def _mask(self, slots: Tensor, block: Block, window: int | None) -> Tensor:
        valid = None
        if self._prompt_mask is not None:
            valid = torch.ones((slots.shape[0], block.extent), dtype=torch.bool, device=slots.device)
            valid[:, : self._prompt_mask.shape[1]] = self._prompt_mask
        seen = attention_mask(slots, block.extent, valid, window)
        return additive_mask(seen, self._model.dtype) if self._is_eager else seen
