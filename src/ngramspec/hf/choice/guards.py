"""Guards among the logits processors of a call: who follows them, and whether they fit the model."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from torch import Tensor

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, GuardProcessor, Matcher, RowGuards
from ngramspec.guards.processor import check_fits
from ngramspec.hf.entry.refusals import vocabulary
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import LogitsProcessorList


def matchers_of(
    processor: object, input_ids: Tensor, eos_tokens: set[int], num_returned: int
) -> list[Matcher | None] | None:
    """A guard's matchers, one per row, None for a row that it leaves free; None for what is no guard.

    input_ids: `int64[B, P]`, padded: as plain decoding's processors see them. num_returned: sequences that are
    returned for each prompt.
    Raises GuardError where a guard holds and nothing would ever end a row, TypeError for what is no processor.
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
    """`processors` with a GuardProcessor in the place of each guard: for plain decoding."""

    def followed(processor: Any) -> Any:
        if not isinstance(processor, Guard | RowGuards):
            return processor
        _check_ends(processor, eos_tokens)
        return processor.processor(eos_tokens)

    return LogitsProcessorList(map(followed, processors))


def has_guards(processors: Any) -> bool:
    """Whether plain decoding could not call all of `processors`."""
    return any(isinstance(processor, Guard | RowGuards) for processor in processors or ())


def check_vocabularies(request: Request) -> None:
    """Raise GuardError where a guard among the processors was surely made with another model's tokenizer.

    What can be known: the ids that the model has, those of the prompt, and its own ends of sequence, which are special
    tokens. Two tokenizers of one size that agree in these are taken for one.
    """
    model, ids = request.model, request.input_ids
    real = ids if request.mask is None else ids[request.mask[:, -ids.shape[1] :] != 0]
    own = model.generation_config.eos_token_id
    ends = request.stops.eos_tokens
    are_own = bool(ends) and ends == set([own] if isinstance(own, int) else own or ())
    for known in {guard.vocabulary for processor in request.processors for guard in _guards_in(processor)}:
        check_fits(known, vocabulary(model), [real.flatten().tolist()])
        if are_own and not any(token in known.special for token in ends):
            texts = ", ".join(repr(known.decode([token]).decode(errors="replace")) for token in sorted(ends))
            raise GuardError(
                "a guard must be made with the model's own tokenizer, whose ends of sequence are special tokens, got"
                f" the model's {sorted(ends)}, which to the guard are {texts}"
            )


def _guards_in(processor: object) -> Iterator[Guard]:
    if isinstance(processor, GuardProcessor):
        processor = processor.guards
    if isinstance(processor, Guard):
        yield processor
    elif isinstance(processor, RowGuards):
        yield from (guard for guard in processor.guards if guard is not None)


def _check_ends(guard: object, eos_tokens: Collection[int] | None) -> None:
    if not eos_tokens:
        raise GuardError(
            f"a guard ends a row with an end of sequence, got eos_token_id=None with {guard!r}: pass eos_token_id"
        )
