"""Rows apart: for models that take a position per token and a mask per query, so each row has its own slots."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from contextlib import nullcontext
from typing import Any, Self

import torch
from torch import Tensor

from ngramspec.decoding import Plan, Reading, Row, Shape, Target
from ngramspec.drafting.types import Tree
from ngramspec.hf.facts.layers import windows_of
from ngramspec.hf.rows.layout import NO_TREES, Layout, layout_of
from ngramspec.hf.rows.likely_tokens import report_likely_tokens
from ngramspec.hf.rows.logits import PassLogits
from ngramspec.hf.rows.orders import begin, choices_of
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow, model_rows
from ngramspec.hf.seam import CACHE, attention_of, takes_logits_to_keep
from ngramspec.hf.target.attention import folded
from ngramspec.hf.target.attention_mask import additive_mask, attention_mask, by_layer_type, mask_branches
from ngramspec.hf.target.block import Block, block_of
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_transfer import load
from ngramspec.hf.types import Model


class RaggedTarget(Target):
    """Reads the drafts of all rows in one pass, each row at its own slots: no row waits for another.

    The rows that are read have the first lines of the cache. A row that leaves swaps lines with the last of them, and
    then costs nothing.
    """

    def __init__(self, model: Model, device: torch.device, most_slots: int | None = None) -> None:
        """device: of the ids. most_slots: the most slots that a text may take."""
        self._model = model
        windows = windows_of(model)
        self._num_layers, self._windows = len(windows), set(windows)
        self._cache = RaggedCache(self._num_layers, most_slots)
        # With accelerate's offloading, the model itself is on no device.
        self._device = device if model.device.type == "meta" else model.device
        self._prompt_mask: Tensor | None = None
        self._held: list[ModelRow] = []
        self.takes_trees = True  # known models do (docs/families.md); see `of`
        self._branched: list[tuple[ModelRow, Layout]] = []
        self._unreported: PassLogits | None = None
        self._keeps_rows = False
        self._is_eager = attention_of(model) == "eager"
        self._keeps_logits = takes_logits_to_keep(model)

    @classmethod
    def of(cls, request: Request, rows: Rows[ModelRow]) -> Self:
        """A target for the `rows` of one request, which starts with the content of the request's cache."""
        target = cls(request.model, request.input_ids.device, request.most_slots)
        target.takes_trees = request.takes_trees
        load(request.cache, target._cache)
        target._prompt_mask = request.mask  # a copy, because rows swap lines in it
        if target._prompt_mask is not None:
            target._prompt_mask = target._prompt_mask.to(target._device, torch.bool, copy=True)
        target._held = list(rows)
        for line, row in enumerate(rows):
            row.line = line
        target._keeps_rows = request.keeps_cache or request.has_strangers
        return target

    def shape(self, rows: Rows[Row]) -> Shape:
        """See `decoding.Target`."""
        return self._shape(rows, [len(row.pending) for row in rows])

    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass over all rows; see `decoding.Target`."""
        rows = model_rows([plan.row for plan in plans])
        drafts, layouts = [], {}
        for number, plan in enumerate(plans):
            layout = layout_of(plan.draft)
            drafts.append(plan.draft.tokens.tolist() if layout is None else layout.tokens)
            if layout is not None:
                layouts[number] = layout
        begin(plans, layouts)
        logits = self.read_logits(rows, drafts, layouts)
        if logits.has_nan:
            lines = self._lines(rows)
            self._cache.wipe({line: self._held[line].num_cached for line in range(lines.start, lines.stop)})
            logits = self.read_logits(rows, [[]] * len(rows))
        self._branched = [(rows[number], layout) for number, layout in logits.layouts.items()]
        # Where trees are drafted, passes are slow enough that reading more of the logits than the choice is cheap.
        self._unreported = logits if any(isinstance(plan.draft, Tree) for plan in plans) else None
        widths = [len(row.pending) + len(draft) for row, draft in zip(rows, logits.drafts, strict=True)]
        return Reading(self._shape(rows, widths), *choices_of(logits))

    def keep(self, rows: Rows[Row]) -> list[int]:
        """See `decoding.Target`. The keys of accepted nodes are moved to the slots of their tokens."""
        lines, slots, to = [], [], []
        for row, layout in self._branched:
            first = row.num_cached + len(row.pending)
            for depth, node in enumerate(layout.path(row.committed[:-1])):
                if node != depth:
                    lines.append(row.line)
                    slots.append(first + node)
                    to.append(first + depth)
        if lines:
            self._cache.move(lines, slots, to)
        if self._unreported is not None:
            report_likely_tokens(self._unreported)
            self._unreported = None
        return super().keep(rows)

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """See `decoding.Target`."""
        (own,) = model_rows([row])
        self._forward(block_of([own], [own.pending[:num_tokens]], num_logits=1), own.line)
        return row.num_cached + num_tokens

    def leave(self, row: Row) -> None:
        """Stop reading a row that has ended, unless the cache is kept or the model may depend on the row index."""
        if self._keeps_rows:
            return
        (own,) = model_rows([row])
        line, last = own.line, len(self._held) - 1
        if line != last:
            moved = self._held[last]
            self._cache.swap(line, last, max(own.num_cached, moved.num_cached))
            self._held[line], moved.line = moved, line
            if self._prompt_mask is not None:
                self._prompt_mask[line] = self._prompt_mask[last]
        self._held.pop()
        if self._prompt_mask is not None:
            kept = self._prompt_mask[:last]
            self._prompt_mask = None if bool(kept.all()) else kept

    def read_logits(
        self, rows: Rows[ModelRow], drafts: Rows[list[int]], layouts: Mapping[int, Layout] = NO_TREES
    ) -> PassLogits:
        """Read the pending tokens and the drafts of all rows in one pass. layouts: by row number, of trees."""
        run = self._lines(rows)
        lines = [row.line - run.start for row in rows]
        by_line = {lines[number]: layout for number, layout in layouts.items()}
        logits = self._forward(self._block(rows, drafts, run, by_line), run.start)
        last = logits.shape[1] - 1
        return PassLogits(logits, rows, drafts, lines, [last - len(draft) for draft in drafts], layouts)

    def finish(self, rows: Rows[ModelRow], num_slots: int) -> Any:
        """Read the padding after rows that ended early; returns the cache, with `num_slots` keys per row."""
        for row in rows:
            row.pad_to(num_slots)
        if any(row.pending for row in rows):
            self._forward(block_of(rows, [row.pending for row in rows], num_logits=1))
        return self._cache

    def _shape(self, rows: Rows[Row], widths: Rows[int]) -> Shape:
        lines = self._lines(rows)
        context = max([row.num_cached for row in rows])
        return Shape(lines.stop - lines.start, max(widths), sum(widths), context)

    def _lines(self, rows: Rows[Row]) -> slice:
        """The run of lines that a pass over `rows` reads."""
        if self._keeps_rows or len(rows) == len(self._held):
            return slice(0, len(self._held))
        lines = [row.line for row in model_rows(rows)]
        return slice(min(lines), max(lines) + 1)

    def _block(
        self, rows: Rows[ModelRow], drafts: Rows[list[int]], lines: slice, layouts: Mapping[int, Layout]
    ) -> Block:
        """The rectangle of this pass, in which rows that have ended but are still held read fill or padding.

        layouts: by line of the block.
        """
        live = {row.line: row.pending + draft for row, draft in zip(rows, drafts, strict=True)}
        held, num_logits = self._held[lines], 1 + max(map(len, drafts))
        ended = [row for row in held if row.line not in live] if len(live) < len(held) else []
        if ended:
            width, slots = max(map(len, live.values())), max(row.num_cached + len(row.pending) for row in rows)
            live |= {row.line: self._padding(row, width, slots) for row in ended}
        block = self._rectangle(held, [live[row.line] for row in held], num_logits, layouts)
        for row in ended:
            row.num_cached += len(live[row.line])
        return block

    def _rectangle(
        self, rows: Rows[ModelRow], tokens: Rows[list[int]], num_logits: int, layouts: Mapping[int, Layout]
    ) -> Block:
        """See `block_of`."""
        return block_of(rows, tokens, num_logits, layouts)

    def _padding(self, row: ModelRow, width: int, slots: int) -> list[int]:
        """What a row that has ended reads: fill, or, if the cache is kept, the padding that plain decoding reads.

        It takes no more columns than the pass has anyway; the rest of the padding takes a pass of its own at the end.
        slots: how many slots of each row will certainly have to be read.
        """
        num_read = min(width, slots - row.num_cached)
        if num_read <= 0:
            return []
        row.pad_to(row.num_cached + num_read)
        read, row.pending = row.pending, []
        return read

    def _forward(self, block: Block, first_line: int = 0) -> Tensor:
        """Read the block; returns the logits `[R, K + 1, V]` of its last columns.

        first_line: the line of its first row; the others follow.
        """
        token_ids, position_ids, slots, *more = torch.from_numpy(block.inputs).to(self._device)
        reach = more[0] if more else slots
        self._cache.place(slots, block.extent, block.first, first_line)
        arguments: dict[str, Any] = {CACHE: self._cache}
        if self._keeps_logits:
            arguments["logits_to_keep"] = block.num_logits
        is_plain = self._is_plain(block)
        with nullcontext() if is_plain else folded():
            output = self._call(
                block,
                input_ids=token_ids,
                attention_mask=self._mask_2d(block) if is_plain else self._masks(reach, block),
                position_ids=position_ids,
                use_cache=True,
                return_dict=True,
                **arguments,
            )
        logits: Tensor = output.logits
        return logits[:, -block.num_logits :]

    def _call(self, block: Block, **inputs: Any) -> Any:
        """The model's output for inputs made from `block`."""
        return self._model(**inputs)

    def _is_plain(self, block: Block) -> bool:
        """Whether plain `generate()` would read this block, too: the prompt, or one more token of equally long rows."""
        is_next = block.first is not None and block.width == 1 and self._prompt_mask is None
        return self._cache.placement.is_alone or is_next

    def _mask_2d(self, block: Block) -> Tensor | None:
        """`[R, Q]`, or None if nothing is padded. The model makes its own mask from it, as in plain `generate()`.

        So a prefill of 8 k tokens runs the causal kernel instead of reading a mask of 64 M entries, and a pass over one
        token needs no mask.
        """
        if self._prompt_mask is None:
            return None
        rows, width = block.inputs.shape[1:]
        drafted = self._prompt_mask.new_ones((rows, width - self._prompt_mask.shape[1]))
        return torch.cat([self._prompt_mask, drafted], dim=1)

    def _masks(self, slots: Tensor, block: Block) -> Any:
        """What each query sees: one mask for all layers or, in models that mix layer types, one per type.

        slots: `int64[R, Q]`, the slot up to which each query sees.
        """
        masks = {window: self._mask(slots, block, window) for window in self._windows}
        return by_layer_type(masks) if len(masks) > 1 else next(iter(masks.values()))

    def _mask(self, slots: Tensor, block: Block, window: int | None) -> Tensor:
        valid = None
        if self._prompt_mask is not None:
            valid = torch.ones((slots.shape[0], block.extent), dtype=torch.bool, device=slots.device)
            valid[:, : self._prompt_mask.shape[1]] = self._prompt_mask
        seen = attention_mask(slots, block.extent, valid, window)
        mask_branches(seen, block.branches, window)
        return additive_mask(seen, self._model.dtype) if self._is_eager else seen
