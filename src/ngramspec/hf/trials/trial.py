"""A trial: does a model read a block of tokens as it reads one after another?

Asked of models that nobody has tried. A call is decoded plainly and watched: the cache is copied once it holds the
prompt, and the first few logits are kept. Then the tokens that were emitted are read again as one block, in the very
way in which drafts would be checked, and its logits are held against those of plain decoding. A trial costs one pass.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ngramspec.drafting import Draft, NoDrafts
from ngramspec.hf.choice.processors import Processors
from ngramspec.hf.choice.sampling import Picker
from ngramspec.hf.choice.score_record import Record
from ngramspec.hf.facts.limits import vocabulary
from ngramspec.hf.facts.rounding import why_not_rounding
from ngramspec.hf.facts.strangers import Stranger
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.opening import RowChoice, RowSource, open_rows
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.seam import LogitsProcessor, LogitsProcessorList
from ngramspec.hf.target.aligned import AlignedTarget
from ngramspec.hf.target.ragged import RaggedTarget

LEAST_WIDTH, MOST_WIDTH = 12, 48
"""Tokens of the block: as many as the longest row has to show. A shorter answer proves nothing, and a later call is
watched. Drafts of a model that was tried are no longer than that none of its passes is wider than the block was."""

FAR_SCALE = 8.0
"""How much more rounding is allowed for beyond LEAST_WIDTH: in bfloat16, a model of 30 layers fails without that."""

MOST_BYTES = 1 << 28
"""Of the logits that are kept; where rows and vocabulary are many, the block is narrower."""


class Trial:
    """One call that is watched; `finding` says in the end what came of it.

    finding: "" where the block had the logits of plain decoding; else what was wrong, in a clause that follows the
        model's name; None where too little was emitted. width: tokens of the block.
    """

    def __init__(self, request: Request, strangers: Sequence[Stranger], kind: Hashable) -> None:
        """strangers: what of the model nobody has tried. kind: of call, which the finding will hold for."""
        self.finding: str | None = None
        self.width = 0
        self.request = request
        self.kind = kind
        self.strangers = strangers
        self._logits: list[Tensor] = []
        self._target: RaggedTarget | AlignedTarget | None = None
        self._rows: list[ModelRow] = []

    @contextmanager
    def watching(self, processors: LogitsProcessorList) -> Iterator[LogitsProcessorList]:
        """`processors` with one before them that watches; within, plain decoding runs."""
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
        """Read what was emitted as a block, and judge it.

        sequences: `int64[B, L]`, what plain decoding came to. lengths: tokens that each row has emitted.
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
        except (torch.OutOfMemoryError, MemoryError):
            return  # says nothing of the model
        except Exception as error:  # nobody has tried this model: whatever it raises is an answer
            self.finding = _raised(error)

    def _start(self, output: Any) -> None:
        """Copy the cache, which holds the prompts now; output: what the model said of them."""
        request = self.request
        held, num_rows = request.cache.length, len(request.input_ids)
        if held != request.num_slots:
            self.finding = f"keeps {held} positions in its cache for a prompt of {request.num_slots}"
            return
        nothing, stops, record = Processors([], []), request.stops, Record(request.config)
        try:
            is_ragged = request.is_ragged()
            call = Call(request.input_ids, nothing, stops, record, do_sample=False, pad_token=0, is_ragged=is_ragged)
            choice = RowChoice(Picker(do_sample=False))
            open_rows(request, call, [RowSource(NoDrafts())] * num_rows, [choice] * num_rows)
            if is_ragged:
                self._target = RaggedTarget.of(request, call.rows)
            else:
                self._target = AlignedTarget(request, call.rows, outputs=output)
            self._rows = call.rows
        except Exception as error:  # nobody has tried this model: whatever it raises is an answer
            self.finding = _raised(error)

    def _judged(self, tokens: Tensor, judged: Sequence[int]) -> str:
        """Hold the rows `judged` of the block `tokens` `int64[B, n]` against plain decoding; "" where they agree.

        The other rows read something else from their second token on, as rows do whose drafts are wrong: so what mixes
        rows is found out.
        """
        assert self._target is not None
        texts = list(tokens.numpy().astype(np.int32))
        for row in set(range(len(texts))) - set(judged):
            texts[row][1:] = (texts[row][1:] + 1) % vocabulary(self.request.model)
        for each, text in zip(self._rows, texts, strict=True):
            each.emitted.append(int(text[0]))
            each.num_cached, each.pending = self.request.num_slots, text[:1]
        shares = self._target.read_logits(self._rows, [Draft(text[1:]) for text in texts])
        for row in judged:
            plain = torch.stack([logits[row] for logits in self._logits[: self.width]])
            block = shares[row].logits.to(plain.device)
            dtype = self._precision(block.dtype)
            reason = why_not_rounding(plain[:LEAST_WIDTH], block[:LEAST_WIDTH], dtype)
            if reason is None and self.width > LEAST_WIDTH:
                reason = why_not_rounding(plain[LEAST_WIDTH:], block[LEAST_WIDTH:], dtype, FAR_SCALE)
            if reason is not None:
                return f"reads a block of {self.width} tokens otherwise than one token after another: {reason}"
        return ""

    def _precision(self, dtype: torch.dtype) -> torch.dtype:
        """The coarsest of what is computed with; dtype: of the logits, which some models make finer."""
        device = self.request.model.device.type
        used: list[torch.dtype] = [dtype, self.request.model.dtype]
        if torch.is_autocast_enabled(device):
            used.append(torch.get_autocast_dtype(device))
        return max((each for each in used if each.is_floating_point), key=lambda each: torch.finfo(each).eps)


class _Watching(LogitsProcessor):
    """Hands scores to whoever watches."""

    def __init__(self, watch: Any) -> None:
        self._watch = watch

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores, as they are."""
        seen: Tensor = self._watch(input_ids, scores)
        return seen


def _raised(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"cannot read a block of tokens ({type(error).__name__}: {text[:200]})"
