"""Decodes a whole call with drafts: opens its rows, and steps them until all have ended."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from ngramspec.decoding import Budget, Clock, Costs, Engine
from ngramspec.hf.choice.masks import MaskThreads
from ngramspec.hf.choice.score_record import ScoreRecord
from ngramspec.hf.entry.tensor_parallel import agreed
from ngramspec.hf.rows.opening import RowDrafter, open_call
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    CACHE,
    GenerateDecoderOnlyOutput,
    GenerateEncoderDecoderOutput,
    GenerateNonBeamOutput,
)
from ngramspec.hf.target.cache_transfer import hand_back
from ngramspec.hf.target.choosing import target_of
from ngramspec.hf.target.replaying import ReplayingTarget
from ngramspec.hf.target.static import StaticTarget
from ngramspec.stats import Counters

Output: TypeAlias = Tensor | GenerateNonBeamOutput
"""The result of a call: token ids, or the object of `return_dict_in_generate`."""


Tell = Callable[[Sequence[Counters]], None]
"""Called with the counters of a call, one per row, once all rows have ended."""


def decode(
    request: Request, drafters: Sequence[RowDrafter], budget: Budget, costs: Costs, clock: Clock, tell: Tell
) -> Output:
    """The result of plain `generate()`, in fewer passes.

    drafters: one per row. costs: of this model's passes; learns from the passes of this call. clock: times them, in
    seconds.
    tell: called before the error of a row is raised.
    """
    budget = agreed(budget, request.model)
    with MaskThreads() as threads:
        call = open_call(request, drafters, threads, is_ragged=request.is_ragged())
        target = target_of(request, call.rows, is_ragged=call.is_ragged)
        if isinstance(target, StaticTarget):
            costs = target.priced(costs)
        engine = Engine(budget, costs, clock)
        engine.add(call.rows, target)
        while engine.rows:
            engine.step()
            call.flush()
    tell([row.counted() for row in call.rows])
    call.raise_failed()
    sequences = call.text.batch()
    if request.keeps_cache:
        assert not isinstance(target, ReplayingTarget)  # such calls are decoded plainly
        num_slots = request.num_slots + sequences.shape[1] - request.input_ids.shape[1] - 1
        hand_back(request.cache, target.finish(call.rows, num_slots), num_slots)
    return _output_of(request, sequences, call.record)


def _output_of(request: Request, sequences: Tensor, record: ScoreRecord) -> Output:
    """`sequences` `int64[B, P + emitted]`, or the object with scores, logits and cache that the call asks for."""
    if not request.config.return_dict_in_generate:
        return sequences
    output = GenerateEncoderDecoderOutput if request.has_encoder else GenerateDecoderOnlyOutput
    held: dict[str, Any] = {"sequences": sequences, "scores": record.scores, "logits": record.logits}
    return output(**held, **{CACHE: request.cache.cache})
