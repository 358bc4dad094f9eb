"""The model that a command works with: pico, a folder, or a name on the hub."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ngramspec.errors import PromptError
from ngramspec.pico import load_pico

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ngramspec.hf import Speculator


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in evaluation mode, its tokenizer, and the name that it was asked for by."""

    name: str
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def __str__(self) -> str:
        """Name, size, precision and device, for people."""
        size = f"{self.model.num_parameters() / 1e6:,.1f} M parameters"
        return f"{self.name} ({size}, {self.dtype}, {self.model.device.type})"

    @property
    def dtype(self) -> str:
        """The precision's name, "float32" and the like."""
        return str(self.model.dtype).removeprefix("torch.")

    def encode(self, prompts: Sequence[str], *, chat: bool = False) -> dict[str, "Tensor"]:
        """Token ids and mask, `int64[B, P]` each, padded on the left; `chat` puts prompts through the chat template."""
        texts = [self._chat(prompt) for prompt in prompts] if chat else list(prompts)
        if len(texts) > 1 and self.tokenizer.pad_token is None:
            raise PromptError(f"a batch needs a pad token, got a tokenizer without one for {self.name}: use --batch 1")
        encoded = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=len(texts) > 1,
            padding_side="left",
            add_special_tokens=not chat,  # the template writes its own
        )
        return {name: encoded[name].to(self.model.device) for name in ("input_ids", "attention_mask")}

    def _chat(self, prompt: str) -> str:
        if self.tokenizer.chat_template is None:
            raise PromptError(
                f"--chat needs a tokenizer with a chat template, got {self.name} without one: leave it out"
            )
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        assert isinstance(text, str)
        return text

    def generate(self, prompt: dict[str, Any], spec: "Speculator | None", **settings: Any) -> "Tensor":
        """Emitted token ids `int64[B, n]`: plainly, or with speculation. `settings` are those of `generate()`."""
        settings = {"pad_token_id": self.tokenizer.pad_token_id} | settings
        if spec is None:
            output: Tensor = self.model.generate(**prompt, **settings)  # type: ignore[operator]
        else:
            output = spec.generate(self.model, **prompt, **settings)
        return output[:, prompt["input_ids"].shape[1] :]


def load(name: str) -> Loaded:
    """Load a model in the precision it was saved in, to the GPU where there is one (pico stays on the CPU)."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()  # a command says on its own what its user needs to know
    logging.disable_progress_bar()
    if name == "pico":
        # Its layers are small: beside other work, two threads wait for each other and take many times as long as one.
        torch.set_num_threads(1)
        return Loaded(name, *load_pico())
    return _load_pretrained(name)


def _load_pretrained(name: str) -> Loaded:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model: Any = AutoModelForCausalLM.from_pretrained(name, dtype="auto")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise OSError(
            f"--model must be pico, a model's folder or its name on the hub, got {name!r}: {reason}"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # as plain generate() does
    if torch.cuda.is_available():
        model = model.cuda()
    else:
        # transformers' own setting, right on a CPU: a drafted pass else copies the cache of a grouped-query model.
        os.environ.setdefault("TRANSFORMERS_SDPA_FORCE_GQA", "1")
    return Loaded(name, model, tokenizer)
