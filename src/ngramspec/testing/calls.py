"""One `generate()` call that can be repeated: plainly, with drafts, or only to capture its processors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ngramspec.guards import Guard, RowGuards
from ngramspec.hf.choice.guards import has_guards, with_processors
from ngramspec.hf.seam import LogitsProcessorList
from ngramspec.hf.types import Model
from ngramspec.testing.rereading import Rereading


@dataclass(frozen=True, slots=True)
class Call:
    """Left-padded ids and mask, `int64[B, P]` each, the settings of `generate()`, and the seed of each run."""

    model: Model
    input_ids: Tensor
    mask: Tensor
    settings: Mapping[str, Any]
    seed: int

    @property
    def do_sample(self) -> bool:
        """Whether tokens are sampled."""
        return bool(self.settings["do_sample"])

    @property
    def eos_tokens(self) -> set[int]:
        """The ids that end a row."""
        given = self.settings.get("eos_token_id", self.model.generation_config.eos_token_id)
        return set(given) if isinstance(given, list) else {given} - {None}

    def row(self, index: int, seed: int) -> "Call":
        """The same call for one prompt alone. It keeps its padding, because some processors and encoders look at it."""
        alone = slice(index, index + 1)
        return replace(self, input_ids=self.input_ids[alone], mask=self.mask[alone], seed=seed)

    def run(self, **more: Any) -> Tensor:
        """The output of `generate()` from the seed; more: further arguments, such as `custom_generate`.

        Without those, guards are replaced by the processors for plain decoding.
        """
        torch.manual_seed(self.seed)
        inputs = {"input_ids": self.input_ids, "attention_mask": self.mask}
        settings = {**self.settings, **more}
        if "custom_generate" not in more and has_guards(settings.get("logits_processor")):
            settings["logits_processor"] = with_processors(settings["logits_processor"], sorted(self.eos_tokens))
        output: Tensor = self.model.generate(**inputs, **settings)
        return output

    @property
    def guards(self) -> list[Guard]:
        """The guards among the logits processors."""
        return [each for each in self.settings.get("logits_processor") or () if isinstance(each, Guard)]

    def states(self) -> list[Tensor]:
        """The states of the random generators that a call may draw from."""
        states = [torch.get_rng_state()]
        return states + ([torch.cuda.get_rng_state(self.model.device)] if self.model.device.type == "cuda" else [])

    def emitted(self, output: Tensor) -> Tensor:
        """The part of `output` `int64[B, L]` after the prompt; an encoder-decoder model's starts with one token."""
        return output[:, self.emitted_from :]

    @property
    def emitted_from(self) -> int:
        """The column of the first emitted token in `generate()`'s output."""
        return 1 if self.model.config.is_encoder_decoder else self.input_ids.shape[1]

    def run_plainly(self) -> tuple[Tensor, list[Tensor]]:
        """Plain decoding's output and, for each of its passes, the logits `[B, V]` that it chooses from.

        They are in the model's own precision; plain decoding converts them to float32.
        """
        seen: list[Tensor] = []
        hook = self.model.register_forward_hook(lambda _model, _args, output: seen.append(output.logits[:, -1].clone()))
        try:
            return self.run(), seen
        finally:
            hook.remove()

    def processors(self) -> LogitsProcessorList:
        """The logits processors of the call, the model's own included, in their order.

        A guard's processor here keeps no state: it reads each text from the start.
        """
        found: list[LogitsProcessorList] = []

        def note(_model: Model, input_ids: Tensor, logits_processor: LogitsProcessorList, **_: Any) -> Tensor:
            found.append(logits_processor)
            return input_ids

        self.run(custom_generate=note)
        ends, start = sorted(self.eos_tokens), self.emitted_from
        return LogitsProcessorList(
            [Rereading(each, ends, start) if isinstance(each, Guard | RowGuards) else each for each in found[0]]
        )


def left_padded(prompts: Sequence[Sequence[int]], pad_token: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and mask, `int64[B, P]` each."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_token)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
