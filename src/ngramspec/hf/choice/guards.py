"""Guards among the logits processors of a call: their matchers, and the processors that replace them."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, GuardProcessor, Matcher, RowGuards
from ngramspec.hf.seam import LogitsProcessorList


def matchers_of(
    processor: object, input_ids: Tensor, eos_tokens: set[int], num_returned: int
) -> list[Matcher | None] | None:
    """A guard's matchers, one per row, None for a row that it leaves free; None if `processor` is not a guard.

    input_ids: `int64[B, P]`, padded, as plain decoding's processors see them. num_returned: sequences that are
    returned for each prompt.
    Raises GuardError if no end of sequence could end a guarded row, TypeError for an object that is not a processor.
    """
    if isinstance(processor, GuardProcessor):
        return processor.open(input_ids.tolist(), num_returned)
    if isinstance(processor, Guard):
        processor = Guard.per_row([processor])
    if not isinstance(processor, RowGuards):
        if not callable(processor):
            raise TypeError(
                f"logits_processor must hold processors and guards, got {processor!r} in it: Guard.per_row([…]) has a"
                " guard for each prompt"
            )
        if isinstance(getattr(processor, "__self__", None), Guard | RowGuards):
            raise TypeError(f"logits_processor must hold processors and guards, got a method, {processor!r}: call it")
        return None
    _check_ends(processor, eos_tokens)
    return processor.matchers(input_ids.tolist(), eos_tokens, num_returned)


def with_processors(processors: Any, eos_tokens: Sequence[int] | None) -> LogitsProcessorList:
    """`processors` with a GuardProcessor instead of each guard, for plain decoding."""

    def followed(processor: Any) -> Any:
        if not isinstance(processor, Guard | RowGuards):
            return processor
        _check_ends(processor, eos_tokens)
        return processor.processor(eos_tokens)

    return LogitsProcessorList(map(followed, processors))


def has_guards(processors: Any) -> bool:
    """Whether any processor is a guard."""
    return any(isinstance(processor, Guard | RowGuards) for processor in processors or ())


def _check_ends(guard: object, eos_tokens: Collection[int] | None) -> None:
    if not eos_tokens:
        raise GuardError(
            f"a guard ends a row with an end of sequence, got eos_token_id=None with {guard!r}: pass eos_token_id"
        )
