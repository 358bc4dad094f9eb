"""What a call returns: token ids, or the object of `return_dict_in_generate`."""

from typing import TypeAlias

from torch import Tensor
from transformers.generation.utils import (
    GenerateDecoderOnlyOutput,
    GenerateEncoderDecoderOutput,
    GenerateNonBeamOutput,
)

from ngramspec.hf.record import Record
from ngramspec.hf.request import Request

Output: TypeAlias = Tensor | GenerateNonBeamOutput


def output_of(request: Request, sequences: Tensor, record: Record) -> Output:
    """`sequences` `int64[B, P + emitted]`, with what `record` kept and the cache where the call asks for an object."""
    if not request.config.return_dict_in_generate:
        return sequences
    kind = GenerateEncoderDecoderOutput if request.has_encoder else GenerateDecoderOnlyOutput
    return kind(
        sequences=sequences,  # type: ignore[arg-type]
        scores=record.scores,  # type: ignore[arg-type]
        logits=record.logits,  # type: ignore[arg-type]
        past_key_values=request.cache.cache,
    )
