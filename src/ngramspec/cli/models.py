"""The model that a command works with: pico, a folder, or a name on the hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ngramspec.errors import PromptError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ngramspec.cli.prompts import Prompt
    from ngramspec.hf import Speculator

MAX_SEED = 2**63 - 1
"""The largest seed that both torch and numpy accept."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in evaluation mode, its tokenizer, and the name that the user gave."""

    name: str
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def __str__(self) -> str:
        """Name, size, precision and device, for people."""
        size = f"{self.model.num_parameters() / 1e6:,.1f} M parameters"
        return f"{self.name} ({size}, {self.dtype}, {self.model.device.type})"

    @property
    def dtype(self) -> str:
        """The precision's name, such as "float32"."""
        return str(self.model.dtype).removeprefix("torch.")

    def encode(self, prompts: "Sequence[Prompt]", *, chat: bool = False) -> dict[str, "Tensor"]:
        """Token ids and mask, `int64[B, P]` each, padded on the left; `chat` puts prompts through the chat template."""
        from ngramspec.testing.calls import left_padded

        pad_token = self.tokenizer.pad_token_id
        if len(prompts) > 1 and pad_token is None:
            raise PromptError(f"a batch needs a pad token, got a tokenizer without one for {self.name}: use --batch 1")
        rows = [self._ids(prompt, chat=chat) for prompt in prompts]
        ids, mask = left_padded(rows, 0 if pad_token is None else pad_token, self.model.device)
        return {"input_ids": ids, "attention_mask": mask}

    def _ids(self, prompt: "Prompt", *, chat: bool) -> list[int]:
        if chat and self.tokenizer.chat_template is None:
            raise PromptError(
                f"--chat needs a tokenizer with a chat template, got {self.name} without one: leave it out"
            )
        messages = prompt.as_chat if prompt.chat is None and chat else prompt.chat
        text = prompt.text if messages is None else messages.rendered(self.tokenizer)
        ids: list[int] = self.tokenizer(text, add_special_tokens=messages is None)[
            "input_ids"
        ]  # a template adds its own
        return ids

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
        from ngramspec.hf.facts.limits import max_position, positions_needed

        limit = max_position(self.model)
        for prompt in prompts:
            length = self.encode([prompt], chat=chat)["input_ids"].shape[1]
            if limit is not None and positions_needed(self.model, length, max_new_tokens) > limit:
                raise PromptError(
                    f"{prompt.origin}: prompt and --max-new-tokens must fit the model's {limit} positions,"
                    f" got {length} + {max_new_tokens} tokens: shorten one of them"
                )
