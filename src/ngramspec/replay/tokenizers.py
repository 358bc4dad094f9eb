"""From recorded text to tokens: anything with `encode`, and tokenizers by name."""

import os
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ngramspec.guards import Vocabulary
from ngramspec.replay.chats import Chat
from ngramspec.replay.pretrained import PICO, TOKENIZER, unloadable


class Tokenizer(Protocol):
    """Turns text into token ids, without special tokens."""

    def encode(self, text: str) -> Sequence[int]:
        """Token ids of `text`."""


@runtime_checkable
class ChatTokenizer(Tokenizer, Protocol):
    """A tokenizer that renders chats for its model."""

    def turn(self, chat: Chat, answer: int) -> tuple[Sequence[int], Sequence[int]]:
        """Token ids of the prompt and of the output of message `answer`. Raises TraceError."""


def load_tokenizer(name: str) -> "_Tekken | _Pretrained":
    """The tokenizer called `name`: 'tekken', 'pico', or a path or name that transformers' AutoTokenizer loads.

    tekken is Mistral's, with 131 k tokens; it is part of the package mistral-common, so nothing is downloaded.
    """
    return _Tekken() if name == "tekken" else _Pretrained(name)


class _Tekken:
    def __init__(self) -> None:
        try:
            from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
        except ImportError as error:
            raise ImportError("tokenizer='tekken' needs mistral-common: pip install 'ngramspec[tekken]'") from error
        self._tokenizer = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens, for a guard."""
        return Vocabulary.of(self._tokenizer)

    def encode(self, text: str) -> Sequence[int]:
        return self._tokenizer.encode(text, bos=False, eos=False)


class _Pretrained:
    def __init__(self, name: str) -> None:
        from transformers import AutoTokenizer

        from ngramspec.pico import PICO_PATH

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(PICO_PATH if name == PICO else os.path.expanduser(name))
        except (OSError, ValueError) as error:
            raise OSError(
                "a tokenizer must be 'tekken', 'pico', or a path or name that AutoTokenizer loads,"
                f" got {name!r}: {unloadable(name, TOKENIZER, error)}"
            ) from error

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens, for a guard."""
        return Vocabulary.of(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        # Recorded prompts may be longer than the model allows; no model runs on them, so a warning would be wrong.
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return ids

    def turn(self, chat: Chat, answer: int) -> tuple[Sequence[int], Sequence[int]]:
        prompt, output = (self.encode(text) for text in chat.turn(self._tokenizer, answer))
        end = self._tokenizer.eos_token_id
        # What a template writes after the end of an answer is not part of it.
        return prompt, output[: output.index(end) + 1] if end in output else output
