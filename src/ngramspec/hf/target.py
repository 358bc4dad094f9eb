"""A transformers model as a target: one forward pass checks the drafts of all rows."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ngramspec.decoding import Plan, Sequence, Verdict
from ngramspec.drafting.types import Draft
from ngramspec.hf.block import Block, BlockRow, IntArray, additive_mask, attention_mask, make_block
from ngramspec.hf.cache import RaggedCache
from ngramspec.hf.choosing import Candidate, Chooser
from ngramspec.hf.types import Model


@dataclass(slots=True)
class Row(Sequence):
    """A row of a `generate()` call.

    index: its place in the batch. pad_token: what it is fed once it has finished.
    positions: `int64[P]`, position ids of the prompt; emitted tokens count on from the last one.
    max_position: positions that the model knows. A draft never crosses it, for plain decoding might end before.
    vocabulary: token ids that the model knows.
    num_cached: tokens, padding included, whose keys lie in the cache.
    """

    index: int = field(kw_only=True)
    pad_token: int = field(kw_only=True)
    positions: IntArray = field(kw_only=True)
    max_position: int = field(kw_only=True)
    vocabulary: int = field(kw_only=True)
    num_cached: int = 0

    def propose(self, max_tokens: int) -> Draft:
        """Draft from the text; a finished row, which only a stranger's processor keeps in the batch, drafts padding."""
        room = min(max_tokens, self.max_position - self._position_of(self.num_cached + self.pending.size))
        if self.finished:
            return Draft(np.full(max(0, min(room, self.remaining - 1)), self.pad_token, np.int32))
        draft = Sequence.propose(self, room)
        # An id that the model does not know would kill the process on a GPU; whoever drafted it is cut off there.
        unknown = (draft.tokens < 0) | (draft.tokens >= self.vocabulary)
        return replace(draft, tokens=draft.tokens[: int(unknown.argmax())]) if unknown.any() else draft

    def commit(self, draft: Draft, verdict: Verdict) -> None:
        """Move on; the padding that follows a finished row counts for nothing."""
        # The last token chosen is always read in the next pass, even where it was drafted and its key is known.
        self.num_cached += self.pending.size + verdict.tokens.size - 1
        if self.finished:
            self.remaining -= verdict.tokens.size
            self.pending = np.asarray(verdict.tokens[-1:], np.int32)
            return
        Sequence.commit(self, draft, verdict)

    def block_row(self, draft: Draft) -> BlockRow:
        """The row's share of a forward pass."""
        places = self.num_cached + np.arange(self.pending.size + draft.tokens.size)
        positions = np.where(
            places < self.positions.size,
            self.positions[np.minimum(places, self.positions.size - 1)],
            self._position_of(places),
        )
        return BlockRow(self.num_cached, self.pending, draft.tokens, positions)

    def _position_of(self, place: "IntArray | int") -> Any:
        """Position ids of tokens behind the prompt: they count on from its last one, padding or not."""
        return self.positions[-1] + 1 + place - self.positions.size


class ModelTarget:
    """Checks drafts with a causal language model and a `RaggedCache`."""

    def __init__(self, model: Model, windows: list[int | None], prompt_mask: Tensor | None, chooser: Chooser) -> None:
        """windows: the sliding window of each layer, None for full attention (see `support.windows_of`).

        prompt_mask: `[B, P]`, 0 where the prompt is padding; None where nothing is.
        """
        self._model = model
        self._windows = windows
        self._chooser = chooser
        self._cache = RaggedCache(len(windows))
        self._prompt_mask = None if prompt_mask is None else prompt_mask.to(model.device, torch.bool)
        self._held: list[Row] = []
        self._is_eager = model.config._attn_implementation == "eager"
        self._keeps_logits = model._supports_logits_to_keep()

    def verify(self, plans: Rows[Plan]) -> list[Verdict]:
        """One forward pass over all rows; see `decoding.Target`."""
        rows = [_row(plan) for plan in plans]
        self._hold(rows)
        drafts = {row.index: plan.draft for row, plan in zip(rows, plans, strict=True)}
        # Rows that have finished, but are still held, are read as one token of fill.
        block = make_block([self._block_row(row, drafts.get(row.index)) for row in self._held])
        logits = self._forward(block)
        places = {row.index: place for place, row in enumerate(self._held)}
        return self._chooser.choose(
            [
                Candidate(row.index, plan.draft.tokens, logits[places[row.index], -plan.draft.tokens.size - 1 :])
                for row, plan in zip(rows, plans, strict=True)
            ]
        )

    def _hold(self, rows: list[Row]) -> None:
        """Drop finished rows from the cache once they are half of it: each row is moved a bounded number of times."""
        if not self._held:
            self._held = rows
        elif 2 * len(rows) <= len(self._held):
            live = {row.index for row in rows}
            keep = [place for place, row in enumerate(self._held) if row.index in live]
            self._cache.select(keep)
            if self._prompt_mask is not None:
                kept = self._prompt_mask[torch.tensor(keep, device=self._prompt_mask.device)]
                self._prompt_mask = None if bool(kept.all()) else kept
            self._held = [self._held[place] for place in keep]

    def _block_row(self, row: Row, draft: Draft | None) -> BlockRow:
        if draft is None:
            return BlockRow(row.num_cached, row.pending[:0], row.pending[:0], row.positions[:0])
        return row.block_row(draft)

    def _forward(self, block: Block) -> Tensor:
        """Read the block; returns the logits `[R, K + 1, V]` of its last columns."""
        device = self._model.device
        token_ids, position_ids, slots = torch.from_numpy(
            np.stack([block.token_ids, block.position_ids, block.slots])
        ).to(device)
        self._cache.place(slots, block.extent, block.first)
        arguments: dict[str, Any] = {"logits_to_keep": block.num_logits} if self._keeps_logits else {}
        output = self._model(
            input_ids=token_ids,
            attention_mask=self._mask_2d(block) if self._is_plain(block) else self._masks(slots, block),
            position_ids=position_ids,
            past_key_values=self._cache,
            use_cache=True,
            return_dict=True,
            **arguments,
        )
        logits: Tensor = output.logits
        return logits[:, -block.num_logits :]

    def _is_plain(self, block: Block) -> bool:
        """Whether plain `generate()` would read this block too: the prompt, or one token behind equal lengths."""
        is_next = block.first is not None and block.token_ids.shape[1] == 1 and self._prompt_mask is None
        return self._cache.placement.is_alone or is_next

    def _mask_2d(self, block: Block) -> Tensor | None:
        """`[R, Q]`, or no mask where nothing is padded: of it the model makes what it makes in plain `generate()`.

        A prefill of 8 k tokens thus runs the causal kernel instead of reading a mask of 64 M entries, and a pass over
        one token reads no mask at all.
        """
        if self._prompt_mask is None:
            return None
        rows, width = block.token_ids.shape
        drafted = self._prompt_mask.new_ones((rows, width - self._prompt_mask.shape[1]))
        return torch.cat([self._prompt_mask, drafted], dim=1)

    def _masks(self, slots: Tensor, block: Block) -> Any:
        """What each query sees: one mask for all layers, or, in models that mix them, one per kind of layer."""
        kinds = set(self._windows)
        if len(kinds) == 1:
            return self._mask(slots, block, kinds.pop())
        return {
            "full_attention" if window is None else "sliding_attention": self._mask(slots, block, window)
            for window in kinds
        }

    def _mask(self, slots: Tensor, block: Block, window: int | None) -> Tensor:
        valid = None
        if self._prompt_mask is not None:
            valid = torch.ones((slots.shape[0], block.extent), dtype=torch.bool, device=slots.device)
            valid[:, : self._prompt_mask.shape[1]] = self._prompt_mask
        seen = attention_mask(slots, block.extent, valid, window)
        return additive_mask(seen, self._model.dtype) if self._is_eager else seen


def _row(plan: Plan) -> Row:
    if not isinstance(plan.sequence, Row):
        raise TypeError(f"ModelTarget verifies plans of Row, got {type(plan.sequence).__name__}")
    return plan.sequence
