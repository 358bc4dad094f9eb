"""The model that is served, and what requests need to know about it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ngramspec.errors import RefusedError
from ngramspec.guards import Limits, Vocabulary
from ngramspec.hf.facts.limits import max_position, vocabulary
from ngramspec.hf.types import Model
from ngramspec.serve.settings import Settings
from ngramspec.serve.wire.errors import ApiError, invalid


class ServedModel:
    """A model and its tokenizer, under the settings of a service."""

    def __init__(self, model: Model, tokenizer: Any, settings: Settings) -> None:
        """Raises RefusedError for an encoder-decoder model."""
        if model.config.is_encoder_decoder:
            raise RefusedError(
                f"the service continues texts, got {type(model).__name__}, which reads them with an encoder: use"
                " generate()"
            )
        self.model, self.tokenizer, self.settings = model, tokenizer, settings
        # The first call turns off any truncation and padding that the tokenizer's file sets. Later calls do not change
        # the tokenizer, so threads may share it.
        tokenizer("")
        self.limits = Limits(max_source_bytes=settings.max_schema_bytes, max_seconds=settings.max_compile_seconds)

    @cached_property
    def eos_tokens(self) -> list[int]:
        """Ends of sequence: the model's own, or the tokenizer's if the model names none."""
        ends = self.model.generation_config.eos_token_id
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return [ends] if isinstance(ends, int) else list(ends or ())

    @cached_property
    def pad_token(self) -> int:
        """Never read, but generate() would warn without one."""
        pad: int | None = self.tokenizer.pad_token_id
        return pad if pad is not None else (self.eos_tokens or [0])[0]

    @cached_property
    def num_positions(self) -> int | None:
        """The most tokens of prompt and answer together; None if the model states no limit."""
        return max_position(self.model)

    @cached_property
    def num_tokens(self) -> int:
        """Size of the vocabulary that the model reads."""
        return vocabulary(self.model)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The bytes of each token; raises ApiError if the tokenizer does not reveal them."""
        try:
            return Vocabulary.of(self.tokenizer)
        except TypeError as error:
            raise invalid(f"forms and log probabilities need the bytes of the model's tokens: {error}") from error

    @property
    def spellings(self) -> Sequence[bytes] | None:
        """The bytes of each token; None if the tokenizer does not reveal them."""
        try:
            return self.vocabulary.tokens
        except ApiError:
            return None

    def bytes_of(self, token: int) -> bytes:
        """The bytes of a token: those of its name for a special token, none for padding."""
        return self.vocabulary.decode([token])
