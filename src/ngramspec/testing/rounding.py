"""A model's logits from passes over many tokens, with transformers' own cache and masks."""

import inspect

import torch
from torch import Tensor

from ngramspec.hf.seam import CACHE, cache_of
from ngramspec.hf.types import Model

WIDTHS = (2, 4, 11)
"""Tokens per pass that are tried: matrix kernels change with the number of rows. 11 is a draft of ten."""


def block_logits(model: Model, prompt: tuple[Tensor, Tensor], emitted: Tensor, width: int) -> Tensor:
    """The logits `[B, n, V]` that predict the tokens `emitted` `int64[B, n]`, from passes over `width` tokens each.

    prompt: ids and mask, `int64[B, P]` each. The passes are transformers' own, with its own cache and masks, so that a
    defect of ours is not mistaken for rounding. The first one reads the prompt with a draft of `width` - 1 tokens.
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
