"""Tells which prompts begin alike: those of one template, such as a system prompt."""

from ngramspec.hf.rows.request import Request
from ngramspec.watching.templates import HEAD, template_of


def templates_of(request: Request) -> list[int]:
    """A number per prompt, equal for prompts with equal first HEAD tokens; the decoder's in encoder-decoder models."""
    ids, mask = request.input_ids, request.mask
    num_rows, length = ids.shape
    if mask is None or mask.dim() != 2 or mask.shape[0] != num_rows or mask.shape[1] < length:
        return [template_of(head) for head in ids[:, :HEAD].tolist()]
    real = (mask[:, mask.shape[1] - length :] != 0).cpu()
    return [template_of(row[kept][:HEAD].tolist()) for row, kept in zip(ids.cpu(), real, strict=True)]
