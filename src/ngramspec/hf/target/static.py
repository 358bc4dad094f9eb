"""Rows apart, in passes of a few fixed shapes: for calls with a static cache.

Launching the kernels of a pass may take longer than a GPU needs to run them. transformers' solution is a cache of fixed
size and a compiled decoding pass, which need shapes that never change. So here a pass after the prompt reads all rows
of the call, ended or not, in one of a few widths, and attends to all slots of the cache under a mask. Where a row
writes, and what it sees, are values of tensors, so acceptance changes only values.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import replace
from typing import Any, Self

import torch

from ngramspec.decoding import Costs, PaddedCosts, Row, Shape
from ngramspec.hf.facts.layers import windows_of
from ngramspec.hf.rows.layout import Layout
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.seam import compile_settings
from ngramspec.hf.target.block import Block, block_of
from ngramspec.hf.target.cache_layer import RaggedLayer
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.hf.target.static_graphs import FixedPass, PassShape, fixed_pass
from ngramspec.hf.types import Model

WIDTHS = (1, 2, 4, 8, 16, 32)
"""Widths of the passes after the prompt, in columns. The last chosen token takes one, so a draft has at most 31."""

SLOTS = 64
"""The capacity is a multiple of this, so that calls of similar lengths have the same shapes."""


class StaticTarget(RaggedTarget):
    """A RaggedTarget whose passes after the prompt have fixed shapes, each captured once.

    The prompt is read uncompiled, as in plain decoding. Rows that have ended keep their lines.
    """

    def __init__(self, model: Model, device: torch.device, most_slots: int | None = None) -> None:
        """See `RaggedTarget`."""
        super().__init__(model, device, most_slots)
        self._settings: dict[str, Any] | None = None
        self._last: FixedPass | None = None

    @classmethod
    def of(cls, request: Request, rows: Rows[ModelRow]) -> Self:
        """A target for the `rows` of one request, which starts with the content of the request's static cache."""
        target = super().of(request, rows)
        target._keeps_rows = True
        target._settings = compile_settings(request.model, request.config, request.model_kwargs)
        # At least as many slots as the given cache has: transformers keeps these the same from call to call.
        given = request.cache.num_slots(windows_of(request.model)) or 0
        num_slots = max(given, request.most_slots) + WIDTHS[-1]
        target._cache.reserve(len(rows), -(-num_slots // SLOTS) * SLOTS)
        for row in rows:
            row.most_drafted = min(row.most_drafted, WIDTHS[-1] - 1)
        return target

    def priced(self, costs: Costs) -> Costs:
        """`costs`, which prices each width, for passes that are padded to one of `WIDTHS`."""
        return PaddedCosts(costs, WIDTHS, lambda: self._last is None or self._last.is_settled)

    def _shape(self, rows: Rows[Row], widths: Rows[int]) -> Shape:
        shape = super()._shape(rows, widths)
        if any(row.reads_prompt for row in rows):
            return shape
        return shape._replace(columns=width_for(shape.columns))

    def _rectangle(
        self, rows: Rows[ModelRow], tokens: Rows[list[int]], num_logits: int, layouts: Mapping[int, Layout]
    ) -> Block:
        """After the prompt: padded to one of `WIDTHS`, written slot by slot, attending to all slots."""
        if any(row.reads_prompt for row in rows):
            return super()._rectangle(rows, tokens, num_logits, layouts)
        block = block_of(rows, tokens, num_logits, layouts, width_for(max(map(len, tokens))))
        return replace(block, extent=self._cache.placement.capacity, first=None)

    def _call(self, block: Block, **inputs: Any) -> Any:
        """Uncaptured for the prompt, and for padding at the end of a call: they attend to fewer slots."""
        num_slots = self._cache.placement.capacity
        if block.extent < num_slots:
            return super()._call(block, **inputs)
        inputs.pop("logits_to_keep", None)  # this number may differ in each pass, and graphs specialise on numbers
        if self._settings is not None:
            if self._last is None:
                self._mark_lasting()
            torch.compiler.cudagraph_mark_step_begin()
        self._last = fixed_pass(self._model, PassShape(len(block.fills), block.width, num_slots), self._settings)
        return self._last(self._model, inputs)

    def _mark_lasting(self) -> None:
        """Mark the cache as static in memory, so that a CUDA graph may write to it."""
        for layer in self._cache.layers:
            if isinstance(layer, RaggedLayer):
                for states in layer.states:
                    torch._dynamo.mark_static_address(states, guard=False)


def width_for(columns: int) -> int:
    """The smallest of `WIDTHS` that has room for `columns`."""
    return next(width for width in WIDTHS if width >= columns)


def passes_of(request: Request) -> str:
    """The kind of a call's passes, whose prices are separate from other kinds'; "" for passes of any shape."""
    if not request.cache.is_static:
        return ""
    settings = compile_settings(request.model, request.config, request.model_kwargs)
    return "static" if settings is None else f"static, compiled {settings}"
