"""Rows that read tokens again: for models with a running state (state spaces, linear attention, short convolutions).

Such a state cannot drop a rejected token. So it is restored to what it was before the pass, and the accepted tokens are
read again in the next pass, before the next draft. A rejection costs columns, but no extra pass:

    row 0    k k k p d d .        known tokens k are read again; p is the last chosen token, d the draft, . fill
    row 1    p d d d d d d        a row whose draft reaches the last column and is accepted keeps its state

Each row has its own states and slots. All rows of a pass start in its first column, because fill before a text would
change its state; fill after it is harmless, because the state is restored. So a row keeps the state of a pass only if
it reads up to the last column and everything that it reads is accepted. The attention layers of the same model write
the keys of known tokens to the same slots again.

If no row has a draft, a pass reads as many tokens as the row with the fewest known ones has. All rows keep their
states, and rows with more known tokens choose nothing in this pass. So rows soon have one known token each again, and
passes without drafts cost the same as in plain decoding. If all rows chose a token in each pass, their states would
never be at the same length again, and each pass would be as wide as there are rows (`python -m
benchmarks.running_states`).
"""

from collections.abc import Sequence as Rows
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ngramspec.decoding import Plan, Reading, Row, Shape, Target, reading_again
from ngramspec.hf.facts.running_state import attention_windows, takes_positions
from ngramspec.hf.rows.logits import PassLogits
from ngramspec.hf.rows.orders import begin, choices_of
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow, model_rows
from ngramspec.hf.seam import attention_of, takes_logits_to_keep
from ngramspec.hf.target import scans, time_steps
from ngramspec.hf.target.attention import folded
from ngramspec.hf.target.attention_mask import additive_mask, attention_mask, by_layer_type
from ngramspec.hf.target.own_states import state_cache_of
from ngramspec.hf.target.scans import from_states
from ngramspec.hf.target.time_steps import unclamped
from ngramspec.hf.types import Model

_UNMASKED = ("linear_attention", "conv")
"""Types of layers that mask only padding, of which there is none after the prompt."""


class ReplayingTarget(Target):
    """Verifies drafts with a model whose layers keep running states."""

    def __init__(self, model: Model, device: torch.device, most_slots: int | None = None) -> None:
        """Start with empty states. device: of the ids. most_slots: the most slots that a text may take."""
        self._model = model
        time_steps.prepare(model)
        scans.prepare(model)
        self._cache = state_cache_of(model, most_slots)
        self._device = device if model.device.type == "meta" else model.device
        self._windows = attention_windows(model)
        self._takes_positions = takes_positions(model)
        self._is_eager = attention_of(model) == "eager"
        self._keeps_logits = takes_logits_to_keep(model)
        self._prompt_mask: Tensor | None = None
        self._held: list[ModelRow] = []
        self._num_read: dict[ModelRow, int] = {}
        """Tokens that each row has read in this pass."""

    @classmethod
    def of(cls, request: Request, rows: Rows[ModelRow]) -> Self:
        """A target for the `rows` of one request, in order; their prompts are read without drafts."""
        target = cls(request.model, request.input_ids.device, request.most_slots)
        if request.mask is not None:
            target._prompt_mask = request.mask.to(target._device, torch.bool, copy=True)
        target._held = list(rows)
        for line, row in enumerate(rows):
            row.line = line
        return target

    @property
    def state_bytes(self) -> int:
        """Bytes of the running states of all rows; a pass with drafts keeps a copy of them."""
        return self._cache.state_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes of that copy; 0 between passes."""
        return self._cache.held_bytes

    def shape(self, rows: Rows[Row]) -> Shape:
        """See `decoding.Target`."""
        return self._shape(rows, [len(row.pending) for row in rows])

    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass over all rows; see `decoding.Target`."""
        rows = model_rows([plan.row for plan in plans])
        begin(plans)
        logits = self._read_logits(rows, [plan.draft.tokens.tolist() for plan in plans])
        if logits.has_nan:
            self._cache.restore([row.line for row in rows])
            self._cache.wipe({row.line: row.num_cached for row in rows})
            logits = self._read_logits(rows, [[]] * len(rows))
        return Reading(self._shape(rows, list(self._num_read.values())), *choices_of(logits))

    def keep(self, rows: Rows[Row]) -> list[int]:
        """Restore the states of rows that have read a rejected token or fill: those keep no token of the pass."""
        held = model_rows(rows)
        kept = reading_again.kept(held, [self._num_read[row] for row in held])
        self._cache.restore([row.line for row, own in zip(held, kept, strict=True) if own == row.num_cached])
        reading_again.limit_drafts(held, kept)
        return kept

    def leave(self, row: Row) -> None:
        """Stop reading a row that has ended; the last line takes its number."""
        (own,) = model_rows([row])
        line, last = own.line, len(self._held) - 1
        moved = self._held[last]
        self._cache.drop_line(line, last, moved.num_cached)
        self._held[line], moved.line = moved, line
        self._held.pop()
        if self._prompt_mask is not None:
            self._prompt_mask[line] = self._prompt_mask[last]
            kept = self._prompt_mask[:last]
            self._prompt_mask = None if bool(kept.all()) else kept

    def _shape(self, rows: Rows[Row], widths: Rows[int]) -> Shape:
        known = 0 if any(row.reads_prompt for row in rows) else max(len(row.pending) for row in rows)
        return Shape(len(rows), max(widths), sum(widths), max(row.num_cached for row in rows), known)

    def _read_logits(self, rows: Rows[ModelRow], drafts: Rows[list[int]]) -> PassLogits:
        """Read known tokens and drafts of all rows in one pass; without drafts, as many tokens as every row knows."""
        fewest = min(len(row.pending) for row in rows)
        tokens = {
            row: row.pending + draft if any(drafts) else row.pending[:fewest]
            for row, draft in sorted(zip(rows, drafts, strict=True), key=_line)
        }
        self._num_read = {row: len(read) for row, read in tokens.items()}
        width = max(self._num_read.values())
        if any(drafts):
            self._cache.hold()
        logits = self._forward(list(tokens), list(tokens.values()), 1 + width - fewest)
        choosing = [number for number, row in enumerate(rows) if len(row.pending) <= width]
        chosen, first = [rows[number] for number in choosing], next(iter(tokens)).line
        lines = [row.line - first for row in chosen]
        starts = [len(row.pending) - fewest for row in chosen]
        return PassLogits(logits, chosen, [drafts[number] for number in choosing], lines, starts)

    def _forward(self, rows: Rows[ModelRow], tokens: Rows[list[int]], num_logits: int) -> Tensor:
        """Read the `tokens` of `rows`, which have consecutive lines; returns the last columns' logits `[R, n, V]`."""
        reads_prompt = rows[0].reads_prompt
        token_ids, slots = self._block(rows, tokens)
        width, starts = slots.shape[1], [row.num_cached for row in rows]
        is_run = len(set(starts)) == 1
        self._cache.place(slots, max(starts) + width, starts[0] if is_run else None, rows[0].line)
        arguments = self._cache.arguments()
        if self._keeps_logits:
            arguments["logits_to_keep"] = num_logits
        if self._takes_positions:
            arguments["position_ids"] = self._positions(rows, slots, reads_prompt=reads_prompt)
        is_alone = self._cache.placement.is_alone
        is_plain = is_alone or (is_run and width == 1 and self._prompt_mask is None)
        with ExitStack() as stack:
            if not is_plain:
                stack.enter_context(folded())
            if not is_alone:
                stack.enter_context(from_states(self._cache))
            if not reads_prompt:
                stack.enter_context(unclamped())
            output = self._model(
                input_ids=token_ids,
                attention_mask=self._prompt_mask if is_plain else self._masks(slots),
                use_cache=True,
                return_dict=True,
                **arguments,
            )
        self._cache.take(output)
        logits: Tensor = output.logits
        return logits[:, -num_logits:]

    def _block(self, rows: Rows[ModelRow], tokens: Rows[list[int]]) -> tuple[Tensor, Tensor]:
        """Ids and slots of the pass, each `int64[R, Q]`; after a row's tokens its last one is repeated as fill."""
        width = max(map(len, tokens))
        ids = np.array([own + own[-1:] * (width - len(own)) for own in tokens], np.int64)
        starts = np.array([row.num_cached for row in rows], np.int64)
        block = torch.from_numpy(np.stack([ids, starts[:, None] + np.arange(width)])).to(self._device)
        return block[0], block[1]

    def _positions(self, rows: Rows[ModelRow], slots: Tensor, *, reads_prompt: bool) -> Tensor:
        """Position ids `int64[R, Q]`: those given with the prompt, and after it slot plus shift."""
        if reads_prompt:
            start, width = rows[0].num_cached, slots.shape[1]
            given = np.stack([row.positions[start : start + width] for row in rows])
            return torch.from_numpy(given).to(self._device)
        return slots + torch.tensor([[row.shift] for row in rows], device=self._device)

    def _masks(self, slots: Tensor) -> Any:
        """What each query of the attention layers sees; None if there are none."""
        masks = {window: self._mask(slots, window) for window in self._windows}
        if len(masks) < 2:
            return next(iter(masks.values()), None)
        return by_layer_type(masks) | dict.fromkeys(_UNMASKED)

    def _mask(self, slots: Tensor, window: int | None) -> Tensor:
        extent = self._cache.placement.extent
        valid = None
        if self._prompt_mask is not None:
            valid = torch.ones((slots.shape[0], extent), dtype=torch.bool, device=slots.device)
            valid[:, : self._prompt_mask.shape[1]] = self._prompt_mask
        seen = attention_mask(slots, extent, valid, window)
        return additive_mask(seen, self._model.dtype) if self._is_eager else seen


def _line(read: tuple[ModelRow, list[int]]) -> int:
    return read[0].line
