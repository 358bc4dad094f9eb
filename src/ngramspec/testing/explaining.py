"""Decides whether rounding explains a difference, by redoing plain's choice with logits shifted as rounding may.

A choice is a function of logits: processors, then the largest score, or a draw. That very function is evaluated, with
the call's own processors and the noise of its own draw, for the two shifts that favour the other token most: its logit
up and all others down, so that it wins; or the logit of plain's token down and all others up, so that a processor cuts
that token off. If a shift within the measured rounding turns plain's choice into the other token, the position is a
near-tie; else it is a defect.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ngramspec.hf.facts.rounding import explicable, largest_difference
from ngramspec.testing.plain import Run
from ngramspec.testing.report import RoundingEvidence
from ngramspec.testing.rounding import WIDTHS, block_logits

BISECTIONS = 60
FARTHEST = 1000.0
"""Larger than any difference between logits: no shift turns a choice that this one does not."""


@torch.no_grad()
def explain(
    run: Run, row: int, position: int, other: int | None, *, batch: tuple[Tensor, Tensor, Tensor]
) -> RoundingEvidence:
    """Evidence on a difference: with drafts, `row` got the token `other` at an emitted `position`.

    other: None if the text with drafts had ended. batch: of the texts that were decoded together with drafts, the
    differing one first: prompts and masks `int64[B, P]`, and plain decoding's tokens, `int64[B, n]`.
    """
    _, passes = run.call.run_plainly()
    logits = torch.stack([each[row] for each in passes[: run.end(row)]])
    rounding = _rounding(run, logits, batch)
    limit = explicable(logits)
    if position >= len(logits):
        return RoundingEvidence(None, None, None, rounding, limit, is_redone=True)
    choice = Choice(run, row, position, passes[position])
    chosen = int(run.emitted[row, position])
    return RoundingEvidence(
        top2_gap=_finite(choice.top2_gap()),
        margin=None if other is None else _finite(choice.margin(chosen, other)),
        shift=None if other is None else choice.least_shift(chosen, other, min(rounding, limit)),
        rounding=rounding,
        explicable=limit,
        is_redone=chosen == int(choice.values(0.0).argmax()),
    )


def _rounding(run: Run, logits: Tensor, batch: tuple[Tensor, Tensor, Tensor]) -> float:
    """The largest difference of plain's `logits` `[n, V]` from those of passes over many tokens of the same text.

    Measured alone and in the batch, because a batch may use other kernels.
    """
    ids, mask, emitted = batch
    differences = []
    for num_rows in {1, len(ids)}:
        for width in (*WIDTHS, emitted.shape[1]):
            prompts = (ids[:num_rows], mask[:num_rows])
            blocks = block_logits(run.call.model, prompts, emitted[:num_rows], width)
            differences.append(largest_difference(logits, blocks[0, : len(logits)]))
    return max(differences)


class Choice:
    """Plain decoding's choice at one position, as a function of the logits there."""

    def __init__(self, run: Run, row: int, position: int, logits: Tensor) -> None:
        """logits: `[B, V]`, of the pass that the choice was made from."""
        self._row = row
        self._logits = logits.double()  # exact, so that a shift is not rounded away
        self._text = run.output[:, : run.output.shape[1] - run.emitted.shape[1] + position]
        self._processors = run.call.processors()
        self._noise = _noise(run, position, logits) if run.call.do_sample else None

    def top2_gap(self) -> Tensor:
        """Difference of the two best processed scores."""
        best = self._scores(self._logits).topk(2).values
        return best[0] - best[1]

    def values(self, shift: float, up: int | None = None, down: int | None = None) -> Tensor:
        """Scores or, when sampling, p / q: `[V]`; the largest is chosen.

        Logits move by `shift`: `up` against the rest, or the rest against `down`.
        """
        logits = self._logits.clone()
        if up is not None:
            logits[self._row] -= shift
            logits[self._row, up] += 2 * shift
        if down is not None:
            logits[self._row] += shift
            logits[self._row, down] -= 2 * shift
        scores = self._scores(logits)
        if self._noise is None:
            return scores
        return scores.softmax(dim=-1) / self._noise  # the rule of torch.multinomial, q being exponential noise

    def margin(self, chosen: int, other: int) -> Tensor:
        """By how much `chosen` wins: in scores or, when sampling, in scores plus Gumbel noise, which is log (p / q)."""
        values = self.values(0.0) if self._noise is None else self.values(0.0).log()
        return values[chosen] - values[other]

    def least_shift(self, chosen: int, other: int, within: float) -> float | None:
        """The least shift at which `other` is chosen instead of `chosen`; tries `within` first. None if none does."""

        def up(shift: float) -> bool:
            return int(self.values(shift, up=other).argmax()) == other

        def down(shift: float) -> bool:
            return int(self.values(shift, down=chosen).argmax()) == other

        found = [_least(turns, within) for turns in (up, down)]
        return min((shift for shift in found if shift is not None), default=None)

    def _scores(self, logits: Tensor) -> Tensor:
        # Plain generate() chooses in float32, whatever the model's precision.
        scores: Tensor = self._processors(self._text, logits.float())  # type: ignore[arg-type]
        return scores[self._row]


def _least(turns: Callable[[float], bool], within: float) -> float | None:
    """The least shift that turns the choice, by bisection; None if not even `FARTHEST` does.

    A processor need not be monotone (a repetition penalty inverts for negative scores), so `within`, which decides, is
    tried first.
    """
    low, high = (0.0, within) if turns(within) else (within, FARTHEST)
    if high == FARTHEST and not turns(FARTHEST):
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if turns(middle) else (middle, high)
    return high


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
