"""Decodes a whole call in transformers' own loop."""

from contextlib import nullcontext
from typing import Any

from torch import Tensor

from ngramspec.hf import seam
from ngramspec.hf.choice.guards import with_processors
from ngramspec.hf.entry.decode import Output, Tell
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    StoppingCriteriaList,
)
from ngramspec.hf.trials.trial import Trial
from ngramspec.stats import Counters, Undrafted


def decode_plainly(request: Request, tell: Tell, trial: Trial | None = None) -> Output:
    """As `decode`, in transformers' own loop: for models that cannot be drafted for.

    trial: watches, and then makes the model read the same text as a block.
    """
    criteria = _NotesEnds(request.criteria)
    processors = with_processors(request.processors, sorted(request.stops.eos_tokens))
    with nullcontext(processors) if trial is None else trial.watching(processors) as watched:
        output = seam.decode_plainly(
            request.model, request.input_ids, watched, criteria, request.config, request.stream, request.model_kwargs
        )
    sequences = output if isinstance(output, Tensor) else output.sequences
    longest, pads = sequences.shape[1], request.stops.pads_finished_rows
    counts = []
    for row in range(len(sequences)):
        length = (criteria.ends.get(row, longest) if pads else longest) - request.input_ids.shape[1]
        undrafted = {Undrafted.PLAIN: length} if length else {}
        counts.append(Counters(requests=1, tokens=length, target_passes=length, num_undrafted_per_reason=undrafted))
    if trial is not None:
        trial.read_again(sequences, [row.tokens for row in counts])
    tell(counts)
    return output


class _NotesEnds(StoppingCriteriaList):
    """The same criteria, which record for each row the length at which they first ended it."""

    def __init__(self, criteria: StoppingCriteriaList) -> None:
        super().__init__(criteria)
        self.ends: dict[int, int] = {}

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        done = super().__call__(input_ids, scores, **kwargs)
        for row in done.nonzero().flatten().tolist():
            self.ends.setdefault(row, input_ids.shape[1])
        return done
