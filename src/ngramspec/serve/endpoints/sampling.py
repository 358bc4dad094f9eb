"""How tokens are chosen: the fields of a request as arguments and processors of `generate()`.

Fields that a request leaves out come from the model (`generation_config`), as in `generate()`. Only `top_k` differs: by
default all tokens may be drawn, where transformers takes the best 50.
"""

from typing import Any

from ngramspec.hf.seam import LogitsProcessor, logits_process
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.engine.penalties import Penalties
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.requests import TextRequest

_SEEDS = 1 << 64


def sampling_arguments(request: TextRequest, served: ServedModel) -> dict[str, Any]:
    """The arguments of `generate()` for how tokens are chosen from scores."""
    own = served.model.generation_config
    given = {"top_p": request.top_p, "top_k": request.top_k, "min_p": request.min_p}
    if request.temperature is not None:
        do_sample = request.temperature > 0
    else:
        do_sample = bool(own.do_sample) or any(value is not None for value in given.values())
    if not do_sample:
        return {"do_sample": False}
    top_k = given["top_k"] if given["top_k"] is not None else own.top_k
    return {
        "do_sample": True,
        "temperature": next(value for value in (request.temperature, own.temperature, 1.0) if value is not None),
        "top_p": next(value for value in (request.top_p, own.top_p, 1.0) if value is not None),
        "top_k": max(0, top_k or 0),  # 0 and -1: all
        "min_p": request.min_p if request.min_p is not None else own.min_p,
    }


def seed_of(request: TextRequest, index: int) -> int | None:
    """The seed of an answer: the request's plus the answer's number; None if the request has none."""
    return None if request.seed is None else (request.seed + index) % _SEEDS


def score_processors(request: TextRequest, served: ServedModel, prompt_length: int) -> list[LogitsProcessor]:
    """Processors that change scores depending on the text: biases first, then penalties, as in `generate()`.

    Raises ApiError for a bias on an id that is not a token.
    """
    processors: list[LogitsProcessor] = []
    if request.logit_bias:
        processors.append(logits_process.SequenceBiasLogitsProcessor(_biases(request.logit_bias, served.num_tokens)))
    own = served.model.generation_config.repetition_penalty
    repetition = request.repetition_penalty if request.repetition_penalty is not None else own
    if repetition not in (None, 1.0):
        processors.append(logits_process.RepetitionPenaltyLogitsProcessor(float(repetition)))
    if request.presence_penalty or request.frequency_penalty:
        processors.append(Penalties(request.presence_penalty, request.frequency_penalty, prompt_length))
    return processors


def _biases(given: dict[str, float], num_tokens: int) -> list[list[list[int] | float]]:
    biases: list[list[list[int] | float]] = []
    for name, bias in given.items():
        if not (name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < num_tokens):
            raise invalid(
                f"logit_bias must have token ids from 0 to {num_tokens - 1} as its names, got {name[:40]!r}",
                param="logit_bias",
            )
        biases.append([[int(name)], bias])
    return biases
