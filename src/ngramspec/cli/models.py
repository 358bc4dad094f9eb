"""The model that a command works with: pico, a folder, or a name on the hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ngramspec.errors import PromptError
from ngramspec.pico import load_pico

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ngramspec.cli.prompts import Prompt
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
        # An encoder-decoder model's output starts with one token of its own, not with the prompt.
        return output[:, 1 if self.model.config.is_encoder_decoder else prompt["input_ids"].shape[1] :]

    def check_room(self, prompts: "Sequence[Prompt]", max_new_tokens: int, *, chat: bool) -> None:
        """Raise PromptError, before anything is decoded, if a prompt and its output exceed the model's positions."""
        from ngramspec.hf.refusals import max_position, positions_needed

        limit = max_position(self.model)
        for prompt in prompts:
            length = self.encode([prompt.text], chat=chat)["input_ids"].shape[1]
            if limit is not None and positions_needed(self.model, length, max_new_tokens) > limit:
                raise PromptError(
                    f"{prompt.place}: prompt and --max-new-tokens must fit the model's {limit} positions,"
                    f" got {length} + {max_new_tokens} tokens: shorten one of them"
                )


def load(name: str, dtype: str | None = None) -> Loaded:
    """Load a model to the GPU where there is one (pico stays on the CPU).

    dtype: the precision to compute in, "float64" and the like; by default the one that the model was saved in.
    """
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()  # a command says on its own what its user needs to know
    logging.disable_progress_bar()
    if name == "pico":
        # Its layers are small: beside other work, two threads wait for each other and take many times as long as one.
        torch.set_num_threads(1)
        model, tokenizer = load_pico()
        return Loaded(name, model.to(getattr(torch, dtype)) if dtype else model, tokenizer)
    return _load_pretrained(name, dtype)


def _load_pretrained(name: str, dtype: str | None) -> Loaded:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        config = AutoConfig.from_pretrained(name)
        kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model: Any = kind.from_pretrained(name, dtype=dtype or "auto")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise OSError(
            f"--model must be pico, a model's folder or its name on the hub, got {name!r}: {reason}"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # as plain generate() does
    if torch.cuda.is_available():
        model = model.cuda()
    return Loaded(name, model, tokenizer)
