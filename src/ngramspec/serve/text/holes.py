"""Prompts that ask a model to fill the hole between a prefix and a suffix, with the model's own tokens for that."""

from dataclasses import dataclass
from typing import Any

from ngramspec.serve.wire.errors import invalid

JOINT = "☺"
"""A text that no tokenizer joins with its neighbours: Meta's own trick for CodeLlama's suffixes."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The special tokens around a hole, in prompt order.

    end: a token that ends the filled text. blanks_words: whether the tokenizer puts a blank before each text, which the
    suffix must not have.
    """

    prefix: str
    suffix: str
    middle: str
    end: str | None = None
    blanks_words: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All special tokens."""
        return tuple(name for name in (self.prefix, self.suffix, self.middle, self.end) if name is not None)


FAMILIES = {
    "Qwen-Coder, CodeGemma": Marks("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    "StarCoder, Granite": Marks("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    "DeepSeek-Coder": Marks("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 (these bars are theirs)
    "CodeLlama": Marks("▁<PRE>", "▁<SUF>", "▁<MID>", end="▁<EOT>", blanks_words=True),
}
"""Marks as their authors publish them."""


def prompt_around(prefix: str, suffix: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Token ids of the prompt whose continuation fills the hole, and ends of sequence besides the model's own.

    Raises ApiError for a model without tokens for holes.
    """
    known = tokenizer.get_vocab()
    marks = next((marks for marks in FAMILIES.values() if known.keys() >= set(marks.names)), None)
    if marks is None:
        raise invalid(
            "suffix needs a model with tokens that mark a hole (fill in the middle), got one without: leave it out",
            param="suffix",
        )
    begin: list[int] = tokenizer("").input_ids  # such as a beginning of sequence
    before = _encoded(prefix, tokenizer)
    after = _encoded_inside(suffix, tokenizer) if marks.blanks_words else _encoded(suffix, tokenizer)
    ids = [*begin, known[marks.prefix], *before, known[marks.suffix], *after, known[marks.middle]]
    return ids, [] if marks.end is None else [known[marks.end]]


def _encoded(text: str, tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def _encoded_inside(text: str, tokenizer: Any) -> list[int]:
    """`text` as encoded in the middle of another text."""
    return _encoded(JOINT + text, tokenizer)[len(_encoded(JOINT, tokenizer)) :]
