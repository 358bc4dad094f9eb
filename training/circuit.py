"""A model that can copy before its first step: its first two layers start as an induction circuit (Olsson et al. 2022).

Left to chance, a model this small spends most of an hour on finding that circuit. Initial weights may have structure
(mimetic initialisation, Trockman and Kolter 2023), so the residual stream starts with a plan:

    dimension 0         the same for every token, so that a head can ask for a position
    IDENTITY            which token this is: random, shared with the output through tied embeddings
    PREVIOUS            which token stood before: empty at first, written by layer 0

Heads of layer 0 look one position back and copy IDENTITY into PREVIOUS. Heads of layer 1 look for the positions whose
PREVIOUS is the current token, and add their IDENTITY, the token that followed last time. Training may change it all.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

IDENTITY = slice(1, 97)
PREVIOUS = slice(97, 160)
EMBEDDING = 0.06  # standard deviation; times 96 dimensions, it makes logits of about 7
CONSTANT = 2 * EMBEDDING
POSITION_GAIN = 3.0
MATCH_GAIN = 2.5
COPY_GAIN = 3 * EMBEDDING  # the copied token outweighs the current one
QUIET = 0.1  # what every other layer adds at first, as a share of the usual
POSITIONAL = 3  # rotary pairs fast enough to tell neighbours apart
STEADY = 5  # rotary pairs from here on hardly turn within 1 k positions: content can be compared there


@torch.no_grad()
def wire(model: LlamaForCausalLM) -> None:
    """Overwrite embeddings and parts of the first two layers in place; the rest stays random and gets quieter."""
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.mul_(QUIET)
        layer.mlp.down_proj.weight.mul_(QUIET)
    embedding = model.model.embed_tokens.weight  # [V, 160]
    embedding.normal_(std=EMBEDDING)
    embedding[:, 0] = CONSTANT
    embedding[:, PREVIOUS] = 0
    back, match = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    turns = model.model.rotary_emb.inv_freq  # [head_dim / 2], radians per position
    width = back.head_dim
    for number, offset in enumerate((1, 1, 2, 3, 4)):
        head = slice(number * width, (number + 1) * width)
        _look_back(back.q_proj.weight[head], back.k_proj.weight[head], turns, offset)
    room = PREVIOUS.stop - PREVIOUS.start
    _carry(back.v_proj.weight, back.o_proj.weight, IDENTITY.start, PREVIOUS.start, room, EMBEDDING)
    compared = [*range(STEADY, width // 2), *range(width // 2 + STEADY, width)]
    for number in range(3):
        head = slice(number * width, (number + 1) * width)
        query, key = match.q_proj.weight[head], match.k_proj.weight[head]
        query.zero_()
        key.zero_()
        for place, row in enumerate(compared[:21]):
            query[row, IDENTITY.start + 21 * number + place] = MATCH_GAIN
            key[row, PREVIOUS.start + 21 * number + place] = MATCH_GAIN
    _carry(match.v_proj.weight, match.o_proj.weight, IDENTITY.start, IDENTITY.start, 96, COPY_GAIN)


def _look_back(query: Tensor, key: Tensor, turns: Tensor, offset: int) -> None:
    # Rotary embedding turns pair (i, i + D / 2) by position * turns[i]: a key turned ahead by `offset` matches there.
    pairs = slice(0, POSITIONAL)
    half = len(turns)
    query.zero_()
    key.zero_()
    query[pairs, 0] = POSITION_GAIN
    key[pairs, 0] = POSITION_GAIN * torch.cos(turns[pairs] * offset)
    key[half : half + POSITIONAL, 0] = POSITION_GAIN * torch.sin(turns[pairs] * offset)


def _carry(value: Tensor, output: Tensor, source: int, target: int, count: int, gain: float) -> None:
    # Rows of `value` and columns of `output` 0 .. count carry one dimension each.
    value[:count] = 0
    output[:, :count] = 0
    for place in range(count):
        value[place, source + place] = 1
        output[target + place, place] = gain
