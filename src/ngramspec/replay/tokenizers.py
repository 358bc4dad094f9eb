"""From recorded text to tokens: anything with `encode`, and the tokenizers that have a name here."""

from collections.abc import Sequence
from typing import Protocol

from ngramspec.guards import Vocabulary


class Tokenizer(Protocol):
    """Turns text into token ids, without special tokens."""

    def encode(self, text: str) -> Sequence[int]:
        """Token ids of `text`."""


def load_tokenizer(name: str) -> "_Tekken | _Pretrained":
    """The tokenizer called `name`: 'tekken', 'pico', or a path or name that transformers' AutoTokenizer loads.

    tekken is Mistral's, with 131 k tokens; the package mistral-common brings it along, so nothing is downloaded.
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
            self._tokenizer = AutoTokenizer.from_pretrained(PICO_PATH if name == "pico" else name)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise OSError(
                f"a tokenizer is 'tekken', 'pico', or a path or name that AutoTokenizer loads, got {name!r}: {reason}"
            ) from error

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens, for a guard."""
        return Vocabulary.of(self._tokenizer)

    def encode(self, text: str) -> Sequence[int]:
        # Recorded prompts may be longer than the model allows; nothing is run on them, so there is nothing to warn of.
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return ids
