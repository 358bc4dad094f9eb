"""A model that computes like any other, and writes recorded outputs.

Random weights cost as much time as trained ones, but their text repeats nothing, so no draft is accepted. Here the
whole network runs, and then the recorded next token gets the largest logit: every decoding method of `generate()` makes
real forward passes and emits real text.
"""

import copy
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedModel

from ngramspec.hf.seam import CACHE, CausalLMOutputWithPast
from ngramspec.replay import Trace

CERTAIN = 1e4
"""The recorded token's logit. Random weights stay far below; half precision holds it; softmax makes it exactly 1."""


class Replays(PreTrainedModel):
    """A mixin for a class of transformers that takes position ids: writes the outputs of recorded requests.

    Position ids identify the request of a row: request i owns those from `i * room` on. Every decoding loop must carry
    position ids along with its rows, through padding, drafts, rollbacks and dropped rows, or no model would work; so
    whatever the loop does, token p of request i is identified. The network itself gets positions counted from 0. Rows
    without position ids of their own play back request 0.

    After the output comes `config.eos_token_id`. After a token that differs from the recording, the recording continues
    at the next position.
    """

    def __init__(self, config: Any, traces: Sequence[Trace]) -> None:
        """config: the shape; its `max_position_embeddings` is the room of one request, in tokens.

        Raises ValueError for a shape without an end of sequence, and for a request without a prompt, beyond its room,
        or with ids beyond the vocabulary.
        """
        room = config.max_position_embeddings
        if not isinstance(config.eos_token_id, int):
            raise ValueError(f"a recording needs one end of sequence, got eos_token_id={config.eos_token_id}: set it")
        next_tokens = torch.full((len(traces), room), config.eos_token_id)
        for index, trace in enumerate(traces):
            text = np.concatenate((trace.prompt, trace.output))
            if not 0 < trace.prompt.size <= text.size <= room:
                raise ValueError(
                    f"a request must have a prompt, and at most max_position_embeddings={room} tokens,"
                    f" got {trace.prompt.size} + {trace.output.size} in request {index}: leave it out"
                )
            if text.max() >= config.vocab_size:
                raise ValueError(
                    f"token ids must be < vocab_size={config.vocab_size}, got {text.max()} in request {index}:"
                    " rename them"
                )
            next_tokens[index, : text.size - 1] = torch.from_numpy(text[1:])
        super().__init__(copy.deepcopy(config))
        self.config.max_position_embeddings = room * len(traces)
        self.traces = list(traces)
        self.room = room
        self.next_tokens: Tensor
        self.register_buffer("next_tokens", next_tokens.flatten(), persistent=False)
        self.train(False)

    def inputs(self, requests: Sequence[int]) -> dict[str, Tensor]:
        """The prompts of a batch, padded on the left: `input_ids`, `attention_mask`, `position_ids`, `int64[B, P]`."""
        lengths = [self.traces[request].prompt.size for request in requests]
        shape = (len(requests), max(lengths))
        ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        positions = torch.tensor(requests)[:, None].expand(shape) * self.room
        for row, (request, length) in enumerate(zip(requests, lengths, strict=True)):
            ids[row, -length:] = torch.from_numpy(self.traces[request].prompt)
            mask[row, -length:] = 1
            positions[row, -length:] += torch.arange(length)
        made = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        return {name: tensor.to(self.device) for name, tensor in made.items()}

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Any = None,
        past_key_values: Any = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """As in the other base class, but at every position the recorded next token has the largest logit.

        cache, past_key_values: the same; transformers uses the first name since 5.24, the second before.
        """
        if input_ids is None or position_ids is None:
            raise ValueError("a replay model needs input_ids and position_ids, got None: pass both")
        output: CausalLMOutputWithPast = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids % self.room,
            logits_to_keep=logits_to_keep,
            **{CACHE: cache if cache is not None else past_key_values},
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        positions = position_ids.expand(input_ids.shape)[:, kept, None]
        assert output.logits is not None
        # A draft may reach beyond the room of the last request; that is after the end of its text anyway.
        output.logits.scatter_(-1, self.next_tokens[positions % self.next_tokens.numel()], CERTAIN)
        return output


class ReplayModel(Replays, LlamaForCausalLM):
    """A Llama of any shape, with random weights, that writes the outputs of recorded requests.

    >>> model = ReplayModel(config, traces)                                       # doctest: +SKIP
    >>> model.generate(**model.inputs([0, 2]), max_new_tokens=256)                # doctest: +SKIP
    """


@functools.cache
def replay_class(base: type[PreTrainedModel]) -> type[Replays]:
    """The class of models that compute like `base`, which takes position ids, and write recorded outputs."""
    return type(f"Replay{base.__name__}", (Replays, base), {})
