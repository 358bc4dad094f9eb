"""Checks that the guards of a call were made with its model's tokenizer."""

from collections.abc import Iterator

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, GuardProcessor, RowGuards
from ngramspec.guards.processor import check_fits
from ngramspec.hf.facts.limits import vocabulary
from ngramspec.hf.rows.request import Request


def check_vocabularies(request: Request) -> None:
    """Raise GuardError if a guard among the processors was certainly made with another model's tokenizer.

    This compares the size of the vocabulary, the ids of the prompt, and the model's own ends of sequence, which must be
    special tokens. Tokenizers that agree in these cannot be told apart.
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
