"""How far a model's logits differ between passes over one token and passes over many, and what rounding explains."""

import inspect

import torch
from torch import Tensor

from ngramspec.hf.seam import CACHE, cache_of
from ngramspec.hf.types import Model

WIDTHS = (2, 4, 11)
"""Tokens per pass that are tried: matrix kernels change with the number of rows. 11 is a draft of ten."""

ULPS, HALF_ULPS = 256, 16
"""What rounding explains at most, in units in the last place of the largest logit.

Measured on pico, whose passes over one and over many tokens differ by up to 50 units in single and 8 in double
precision, and by less than one in half: there, kernels sum in single precision and round once.
"""


def block_logits(model: Model, prompt: tuple[Tensor, Tensor], emitted: Tensor, width: int) -> Tensor:
    """The logits `[B, n, V]` that say the tokens `emitted` `int64[B, n]`, from passes over `width` tokens each.

    prompt: ids and mask, `int64[B, P]` each. The passes are transformers' own, with its own cache and masks: a defect
    of ours must not pass for rounding. The first one reads the prompt with a draft of `width` - 1 tokens.
    """
    ids, mask = prompt
    read = emitted[:, :-1]  # the last token is chosen, never read
    given = torch.cat([mask, torch.ones_like(read)], dim=1)
    if model.config.is_encoder_decoder:
        encoder = model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)
        start = torch.full_like(ids[:, :1], decoder_start(model))
        text, fixed = torch.cat([start, read], dim=1), {"encoder_outputs": encoder, "attention_mask": mask}
    else:
        text, fixed = torch.cat([ids, read], dim=1), {}
    first = text.shape[1] - read.shape[1]
    logits, cache, begin = [], None, 0
    for end in [*range(first + width - 1, text.shape[1], width), text.shape[1]]:
        block = text[:, begin:end]
        inputs = {"decoder_input_ids": block, **fixed} if fixed else _inputs(model, block, given[:, :end])
        output = model(**inputs, **{CACHE: cache}, use_cache=True, return_dict=True)
        logits.append(output.logits[:, max(first - 1 - begin, 0) :])
        cache, begin = cache_of(output), end
    return torch.cat(logits, dim=1)


def _inputs(model: Model, block: Tensor, mask: Tensor) -> dict[str, Tensor]:
    inputs = {"input_ids": block, "attention_mask": mask}
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return inputs
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {**inputs, "position_ids": positions[:, -block.shape[1] :]}


def decoder_start(model: Model) -> int:
    """The token that an encoder-decoder model's output starts with."""
    config = model.generation_config
    token = config.decoder_start_token_id
    return int(token if token is not None else config.bos_token_id)


def largest_difference(left: Tensor, right: Tensor) -> float:
    """The largest absolute difference of two logits; equal infinities do not differ."""
    return float(torch.where(left == right, 0.0, (left - right).abs()).max())


def explicable(logits: Tensor) -> float:
    """The most by which rounding can explain a difference of `logits`.

    Logits that are masked out, as those of a padded vocabulary are, do not count.
    """
    real = logits[logits > torch.finfo(logits.dtype).min / 2]
    num_ulps = HALF_ULPS if logits.element_size() < 4 else ULPS
    return num_ulps * _unit(logits) * float(real.abs().max())


def _unit(logits: Tensor) -> float:
    """The relative spacing of the numbers that are computed with: where a GPU takes float32 for TF32, that one's."""
    is_tf32 = logits.is_cuda and logits.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest"
    return 2.0**-10 if is_tf32 else torch.finfo(logits.dtype).eps
