"""When a row ends: checked token by token, in order, also within a pass."""

from typing import Any

import torch

from ngramspec.hf.choice.score_record import Scores
from ngramspec.hf.choice.text_tensor import TextTensor
from ngramspec.hf.seam import (
    EosTokenCriteria,
    MaxLengthCriteria,
    StoppingCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
)


class Stops:
    """The criteria of one call. End of sequence and length are checked here; all others are called.

    eos_tokens: the ids that end a row; first_eos: the first of them as listed, if any.
    max_length: tokens per row, prompt included. A caller's `MaxLengthCriteria` replaces the limit of the call.
    pads_finished_rows: plain `generate()` pads finished rows only if some criterion has an `eos_token_id`; without one,
        a finished row goes on until the last one has finished.
    """

    def __init__(self, criteria: StoppingCriteriaList, max_length: int) -> None:
        self.criteria = criteria
        self.called: list[StoppingCriteria] = []
        self.eos_tokens: set[int] = set()
        self.first_eos: int | None = None
        limits: list[int] = []
        for criterion in criteria:
            if type(criterion) is EosTokenCriteria:
                ends = criterion.eos_token_id.tolist()
                self.eos_tokens.update(ends)
                self.first_eos = next(iter(ends), None) if self.first_eos is None else self.first_eos
            elif type(criterion) is MaxLengthCriteria:
                limits.append(criterion.max_length)
            else:
                self.called.append(criterion)
        self.max_length = min(limits, default=max_length)
        self.pads_finished_rows = any(hasattr(criterion, "eos_token_id") for criterion in criteria)

    def row_ended(self, emitted: list[int], text: TextTensor, index: int, scores: Scores) -> bool:
        """Whether the last of a row's `emitted` tokens ends it; calls every criterion, as plain `generate()` does.

        text, index: the text of the call, and the row in it. scores: of all tokens so far, if the caller asks for them;
        criteria get them, too.
        """
        ended = emitted[-1] in self.eos_tokens or text.prompt_length + len(emitted) >= self.max_length
        for criterion in self.called:
            # A criterion may answer bool[1] or, like transformers' ConfidenceCriteria, a plain bool.
            ended = bool(torch.as_tensor(criterion(text.row(index), scores)).any()) or ended
        return ended

    def rows_ended(self, text: TextTensor, scores: Scores) -> list[bool]:
        """Whether its last token ends each row, `[B]`, from one call of each criterion; scores as in `row_ended`."""
        ended: list[bool] = self.criteria(text.batch(), scores).tolist()
        return ended


def with_stop_strings(
    criteria: StoppingCriteriaList | None, stop_strings: str | list[str], tokenizer: Any
) -> StoppingCriteriaList:
    """`criteria` plus the one that `generate()` makes of `stop_strings`.

    Raises ValueError without a tokenizer, which the added one needs.
    """
    if tokenizer is None:
        raise ValueError(
            f"stop_strings need the model's tokenizer, got tokenizer=None for {stop_strings!r}: pass tokenizer"
        )
    given = StoppingCriteriaList(criteria or [])
    if any(type(criterion) is StopStringCriteria for criterion in given):
        return given  # the caller's own replaces the one made from `stop_strings`
    return StoppingCriteriaList([*given, StopStringCriteria(tokenizer, stop_strings)])
