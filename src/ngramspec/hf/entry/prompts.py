"""Checks for prompts that a model cannot read."""

import torch
from torch import Tensor

from ngramspec.errors import PromptError
from ngramspec.hf.facts.limits import max_position, vocabulary
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    CACHE,
)
from ngramspec.hf.types import Model


def check_shapes(input_ids: Tensor, mask: Tensor | None) -> None:
    """Raise PromptError for an empty prompt, for ids that are not integers, or for a mask of another shape.

    input_ids: `int64[B, P]`. mask: `[B, P]`, or None without padding.
    """
    if input_ids.is_floating_point():
        raise PromptError(f"token ids must be integers, got {input_ids.dtype}: pass the tokenizer's input_ids")
    batch, length = input_ids.shape
    if mask is not None and mask.shape != input_ids.shape:
        raise PromptError(
            f"attention_mask must have the shape of input_ids={list(input_ids.shape)}, got {list(mask.shape)}"
        )
    if length == 0 or (mask is not None and not bool(mask.any(dim=1).all())):
        empty = list(range(batch)) if mask is None else (~mask.bool().any(dim=1)).nonzero().flatten().tolist()
        raise PromptError(f"every prompt must hold at least one token, got empty rows {empty}: leave them out")


def check_prompt(request: Request) -> None:
    """Raise PromptError for a prompt that the model cannot read, or that does not fit its cache or positions."""
    model, input_ids, mask = request.model, request.input_ids, request.mask
    cached = request.cache.length
    if cached:
        _check_cached(request, cached)
    else:
        check_shapes(input_ids, mask)
        _check_positions(input_ids, request.model_kwargs.get("position_ids"))
    limit = max_position(model)
    lengths = torch.full((len(input_ids),), request.num_slots, device="cpu") if mask is None else mask.sum(dim=1)
    if limit is not None and int(lengths.max()) > limit:
        raise PromptError(
            f"a prompt must be at most max_position_embeddings={limit} tokens long, got {int(lengths.max())}"
            " (row " + f"{int(lengths.argmax())}): shorten it"
        )
    known = (input_ids >= 0) & (input_ids < vocabulary(model))
    if not bool(known.all()):
        others = set(input_ids[~known].tolist()) - _stand_ins(model)
        if others:
            raise PromptError(
                f"token ids must be >= 0 and < the vocabulary's {vocabulary(model)},"
                f" got {min(others)}: is this the model's own tokenizer?"
            )


def _stand_ins(model: Model) -> set[int]:
    """Placeholder ids of images or audio in a prompt. They may exceed the vocabulary: the model replaces them."""
    ends = ("_token_id", "_token_index")
    return {value for name, value in vars(model.config).items() if name.endswith(ends) and isinstance(value, int)}


def _check_positions(input_ids: Tensor, positions: Tensor | None) -> None:
    batch, length = input_ids.shape
    if positions is None or positions.dim() != 2 or positions.shape in ((batch, length), (1, length)):
        return
    # transformers counts them along the mask, and drops a mask of ones: usually the mask is what does not fit.
    raise PromptError(
        f"attention_mask and position_ids must have the shape of input_ids={list(input_ids.shape)},"
        f" got position_ids of shape {list(positions.shape)}"
    )


def _check_cached(request: Request, cached: int) -> None:
    """Check a continued chat: it comes with its whole text, or with new tokens and a mask over everything."""
    batch, length = request.input_ids.shape
    rows = request.cache.num_rows
    if rows != batch:
        raise PromptError(f"{CACHE} must have a row per prompt, got {rows} for {batch} prompts")
    slots = request.num_slots
    if length == 0 or cached >= slots or (slots != length and slots - length != cached):
        raise PromptError(
            f"input_ids must hold the whole text, or what follows the {cached} tokens in {CACHE} with an"
            f" attention_mask over both, got {length} tokens and a mask over {slots}"
        )
