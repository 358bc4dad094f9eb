"""What a call returns: token ids, or the object of `return_dict_in_generate`."""

from typing import Any, TypeAlias

from torch import Tensor

from ngramspec.hf.choice.score_record import Record
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    CACHE,
    GenerateDecoderOnlyOutput,
    GenerateEncoderDecoderOutput,
    GenerateNonBeamOutput,
)

Output: TypeAlias = Tensor | GenerateNonBeamOutput


def output_of(request: Request, sequences: Tensor, record: Record) -> Output:
    """`sequences` `int64[B, P + emitted]`, with what `record` kept and the cache where the call asks for an object."""
    if not request.config.return_dict_in_generate:
        return sequences
    kind = GenerateEncoderDecoderOutput if request.has_encoder else GenerateDecoderOnlyOutput
    held: dict[str, Any] = {"sequences": sequences, "scores": record.scores, "logits": record.logits}
    return kind(**held, **{CACHE: request.cache.cache})
