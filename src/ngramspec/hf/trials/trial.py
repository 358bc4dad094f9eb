"""A trial: does a model read a block of tokens like single ones?

It is for models with untried parts. A call is decoded plainly and watched: the cache is copied once it has the prompt,
and the first few logits are kept. Then the emitted tokens are read again as one block, exactly as drafts would be
verified, and the block's logits are compared with those of plain decoding. If rows have their own slots, so are those
of a tree that has each of these tokens twice. A trial costs two passes.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ngramspec.drafting import ROOT, NoDrafts, Tree
from ngramspec.hf.choice.processors import Processors
from ngramspec.hf.choice.sampling import Picker
from ngramspec.hf.choice.score_record import ScoreRecord
from ngramspec.hf.facts.limits import vocabulary
from ngramspec.hf.facts.rounding import why_not_rounding
from ngramspec.hf.facts.strangers import Stranger
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.layout import Layout, layout_of
from ngramspec.hf.rows.opening import RowChoice, RowDrafter, open_rows
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.seam import LogitsProcessor, LogitsProcessorList
from ngramspec.hf.target.aligned import AlignedTarget
from ngramspec.hf.target.ragged import RaggedTarget

LEAST_WIDTH, MOST_WIDTH = 12, 48
"""Bounds on the tokens of the block, which has as many as the longest row. A shorter answer proves nothing, and a later
call is watched. No later pass of the model is wider than its block was."""

FAR_SCALE = 8.0
"""Factor of the allowed rounding beyond LEAST_WIDTH: without it, a model of 30 layers fails in bfloat16."""

MOST_BYTES = 1 << 28
"""Most bytes of kept logits; with many rows and a large vocabulary, the block is narrower."""


class Trial:
    """One watched call; at the end, `finding` has the result.

    finding: "" if the block had the logits of plain decoding; otherwise what was wrong, as a clause that follows the
        model's name; None if too little was emitted. width: tokens of the block. takes_trees: whether a tree had the
        logits of its paths.
    """

    def __init__(self, request: Request, strangers: Sequence[Stranger], call_type: Hashable) -> None:
        """strangers: the untried parts of the model. call_type: the calls that the finding applies to."""
        self.finding: str | None = None
        self.width = 0
        self.takes_trees = False
        self.request = request
        self.call_type = call_type
        self.strangers = strangers
        self._logits: list[Tensor] = []
        self._target: RaggedTarget | AlignedTarget | None = None
        self._rows: list[ModelRow] = []
        self._texts: list[list[int]] = []

    @contextmanager
    def watching(self, processors: LogitsProcessorList) -> Iterator[LogitsProcessorList]:
        """`processors`, preceded by a watching one; plain decoding runs within the `with` block."""
        outputs: list[Any] = []
        hook = self.request.model.register_forward_hook(lambda _model, _args, output: outputs.append(output))

        def watch(input_ids: Tensor, scores: Tensor) -> Tensor:
            if self._target is None and self.finding is None:
                hook.remove()
                if not outputs:
                    self.finding = "is not called as a module"
                    return scores
                self._start(outputs.pop())
            elif len(self._logits) < min(MOST_WIDTH, max(LEAST_WIDTH, MOST_BYTES // scores.nbytes)):
                self._logits.append(scores.clone())
            return scores

        try:
            yield LogitsProcessorList([_Watching(watch), *processors])
        finally:
            hook.remove()

    def read_again(self, sequences: Tensor, lengths: Sequence[int]) -> None:
        """Read the emitted tokens as a block, and set `finding`.

        sequences: `int64[B, L]`, the text of plain decoding. lengths: tokens that each row has emitted.
        """
        self.width = min(len(self._logits), max(lengths) - 1)
        if self.finding is not None or self._target is None or self.width < LEAST_WIDTH:
            return
        long = [row for row, length in enumerate(lengths) if length > self.width]
        start = self.request.input_ids.shape[1]
        tokens = sequences[:, start : start + self.width].cpu()
        devices = [self.request.model.device] if self.request.model.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices):
                self.finding = self._judged(tokens, long[::2])
                self.takes_trees = not self.finding and self._reads_trees(long[::2])
        except (torch.OutOfMemoryError, MemoryError):
            return  # no evidence about the model
        except Exception as error:  # untried code may raise anything: that is a finding
            self.finding = _raised(error)

    def _start(self, output: Any) -> None:
        """Copy the cache, which now has the prompts. output: the model's, for the prompts."""
        request = self.request
        num_cached, num_rows = request.cache.length, len(request.input_ids)
        if num_cached != request.num_slots:
            self.finding = f"keeps {num_cached} positions in its cache for a prompt of {request.num_slots}"
            return
        nothing, stops, record = Processors([], []), request.stops, ScoreRecord(request.config)
        try:
            is_ragged = request.is_ragged()
            call = Call(request.input_ids, nothing, stops, record, do_sample=False, pad_token=0, is_ragged=is_ragged)
            choice = RowChoice(Picker(do_sample=False))
            open_rows(request, call, [RowDrafter(NoDrafts())] * num_rows, [choice] * num_rows)
            if is_ragged:
                self._target = RaggedTarget.of(request, call.rows)
            else:
                self._target = AlignedTarget(request, call.rows, outputs=output)
            self._rows = call.rows
        except Exception as error:  # untried code may raise anything: that is a finding
            self.finding = _raised(error)

    def _judged(self, tokens: Tensor, judged: Sequence[int]) -> str:
        """Compare the rows `judged` of the block `tokens` `int64[B, n]` with plain decoding; "" if they agree.

        The other rows read different tokens from their second one on, like rows with wrong drafts, which exposes a
        model that mixes rows.
        """
        assert self._target is not None
        texts = list(tokens.numpy().astype(np.int32))
        for row in set(range(len(texts))) - set(judged):
            texts[row][1:] = (texts[row][1:] + 1) % vocabulary(self.request.model)
        for each, text in zip(self._rows, texts, strict=True):
            each.emitted.append(int(text[0]))
            each.num_cached, each.pending = self.request.num_slots, text[:1].tolist()
        logits = self._target.read_logits(self._rows, [text[1:].tolist() for text in texts])
        for row in judged:
            plain = torch.stack([logits[row] for logits in self._logits[: self.width]])
            block = logits.share(row).logits.to(plain.device)
            dtype = self._precision(block.dtype)
            reason = why_not_rounding(plain[:LEAST_WIDTH], block[:LEAST_WIDTH], dtype)
            if reason is None and self.width > LEAST_WIDTH:
                reason = why_not_rounding(plain[LEAST_WIDTH:], block[LEAST_WIDTH:], dtype, FAR_SCALE)
            if reason is not None:
                return f"reads a block of {self.width} tokens otherwise than one token after another: {reason}"
        self._texts = [text.tolist() for text in texts]
        return ""

    def _reads_trees(self, judged: Sequence[int]) -> bool:
        """Whether each node of a tree of known tokens has the logits of plain decoding after its path."""
        if not isinstance(self._target, RaggedTarget):
            return False
        layouts = dict(enumerate(map(_doubled, self._texts)))
        drafts = [layout.tokens for layout in layouts.values()]
        try:
            logits = self._target.read_logits(self._rows, drafts, layouts)
        except Exception:  # untried code may raise anything: it gets chains
            return False
        after = [0, *(1 + depth for depth in layouts[0].depths)]
        for row in judged:
            block = logits.share(row).logits
            plain = torch.stack([self._logits[number][row] for number in after]).to(block.device)
            scale = 1.0 if self.width == LEAST_WIDTH else FAR_SCALE
            if why_not_rounding(plain, block, self._precision(block.dtype), scale) is not None:
                return False
        return True

    def _precision(self, dtype: torch.dtype) -> torch.dtype:
        """The coarsest precision in the computation; dtype: of the logits, which is finer in some models."""
        device = self.request.model.device.type
        used: list[torch.dtype] = [dtype, self.request.model.dtype]
        if torch.is_autocast_enabled(device):
            used.append(torch.get_autocast_dtype(device))
        return max((each for each in used if each.is_floating_point), key=lambda each: torch.finfo(each).eps)


class _Watching(LogitsProcessor):
    """Passes scores to a watching function."""

    def __init__(self, watch: Any) -> None:
        self._watch = watch

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores, unchanged."""
        seen: Tensor = self._watch(input_ids, scores)
        return seen


def _doubled(text: Sequence[int]) -> Layout:
    """A tree no wider than `text`, with as many of the tokens after its first one as can be there twice.

    One half is a chain. Tokens of the other half follow, alternately, their twin's predecessor and their own.
    """
    half = (len(text) - 1) // 2
    first = range(ROOT, half - 1)
    second = [half + depth - 1 if depth % 2 else first[depth] for depth in range(half)]
    tokens = np.array(2 * [*text[1 : 1 + half]], np.int32)
    layout = layout_of(Tree(tokens, np.ones(2 * half), parents=np.array([*first, *second], np.int32)))
    assert layout is not None
    return layout


def _raised(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"cannot read a block of tokens ({type(error).__name__}: {text[:200]})"
