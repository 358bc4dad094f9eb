"""Can rounding explain a difference? Plain's choice is redone with its logits moved by as much as rounding moves them.

A choice is a function of logits: processors, then the largest score, or a draw. So that very function is asked, with
the call's own processors and the noise of its own draw: the other token's logit is raised and all others are lowered by
the same shift, which favours the other token most. If a shift within the measured rounding turns plain's choice into
the other token, the place is a near-tie; else it is a defect.
"""

import math

import torch
from torch import Tensor

from ngramspec.testing.plain import Run
from ngramspec.testing.report import Evidence
from ngramspec.testing.rounding import WIDTHS, block_logits, explicable, largest_difference

BISECTIONS = 60
FARTHEST = 1000.0
"""No logit is that far from any other: what no such shift turns, nothing does."""


@torch.no_grad()
def explain(run: Run, row: int, position: int, other: int | None, *, batch: tuple[Tensor, Tensor, Tensor]) -> Evidence:
    """Weigh that drafts made the token `other` of what plain decoding chose in `row`, at an emitted `position`.

    other: None where the text with drafts had ended. batch: of the texts that were made together with drafts, the
    differing one first: prompts and masks `int64[B, P]`, and what plain decoding emitted, `int64[B, n]`.
    """
    passes = run.call.logits()
    end = run.end(row)
    logits = torch.stack([each[row] for each in passes[:end]])
    ids, mask, emitted = batch
    rounding = max(
        largest_difference(logits, block_logits(run.call.model, (ids[:rows], mask[:rows]), emitted[:rows], width)[0, :end])
        for rows in {1, len(ids)}
        for width in (*WIDTHS, emitted.shape[1])
    )
    limit = explicable(logits)
    if position >= end:
        return Evidence(None, None, None, rounding, limit, is_redone=True)
    choice = Choice(run, row, position, passes[position])
    values = choice.values()
    chosen = int(run.emitted[row, position])
    return Evidence(
        top2_gap=_finite(choice.top2_gap()),
        margin=None if other is None else _finite(values[chosen] - values[other]),
        shift=None if other is None else choice.least_shift(other),
        rounding=rounding,
        explicable=limit,
        is_redone=chosen == int(values.argmax()),
    )


class Choice:
    """Plain decoding's choice at one place, as a function of the logits there."""

    def __init__(self, run: Run, row: int, position: int, logits: Tensor) -> None:
        """logits: `[B, V]`, of the pass that the choice was made from."""
        self._row = row
        self._logits = logits.double()  # exact, so that a shift is not rounded away
        self._text = run.output[:, : run.output.shape[1] - run.emitted.shape[1] + position]
        self._processors = run.call.processors()
        self._noise = _noise(run, position, logits) if run.call.do_sample else None

    def top2_gap(self) -> Tensor:
        """Between the two best processed scores."""
        best = self._scores(self._logits).topk(2).values
        return best[0] - best[1]

    def values(self, other: int | None = None, shift: float = 0.0) -> Tensor:
        """`[V]`; the largest is chosen. `other` is raised by `shift`, all else lowered."""
        logits = self._logits
        if other is not None:
            logits = logits.clone()
            logits[self._row] -= shift
            logits[self._row, other] += 2 * shift
        scores = self._scores(logits)
        if self._noise is None:
            return scores
        # torch.multinomial draws the largest of p / q, q being exponential noise: that is log p plus Gumbel noise.
        return (scores.softmax(dim=-1) / self._noise).log()

    def least_shift(self, other: int) -> float | None:
        """The shift from which on `other` is chosen; None if there is none."""
        if int(self.values(other, FARTHEST).argmax()) != other:
            return None
        low, high = 0.0, FARTHEST
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            if int(self.values(other, middle).argmax()) == other:
                high = middle
            else:
                low = middle
        return high

    def _scores(self, logits: Tensor) -> Tensor:
        # Plain generate() chooses in float32, whatever the model's precision.
        scores: Tensor = self._processors(self._text, logits.to(torch.float32, copy=True))[self._row]
        return scores


def _noise(run: Run, position: int, logits: Tensor) -> Tensor:
    """The exponential noise `[V]` of the draw at `position`: the generator is consumed once per emitted token."""
    torch.manual_seed(run.call.seed)
    noise = torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
    for _ in range(position + 1):
        noise.exponential_()
    return noise[0]


def _finite(value: Tensor) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
