"""Recognised constraints of other libraries: Outlines' three and xgrammar's.

Their processors still do the masking, in commit order, so the text is the same as without speculation. A matcher
rebuilt from their grammar keeps drafts within it. They are recognised by class name, without an import. A processor
that was used before, and so is no longer at the start of its grammar, is left alone.
"""

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from ngramspec import forking
from ngramspec.errors import GuardWarning
from ngramspec.guards import Matcher, Vocabulary
from ngramspec.guards.backends import llguidance, outlines_core, xgrammar
from ngramspec.guards.phases import Compiled
from ngramspec.guards.source import Language, Source
from ngramspec.guards.types import BackendError


def guides_of(processors: Iterable[object], row: int, num_tokens: int, eos_tokens: set[int]) -> list[Matcher]:
    """Fresh matchers for one row, from the adopted constraints among the call's processors.

    num_tokens: size of the model's vocabulary.
    """
    matchers = []
    for processor in processors:
        compiled = adopted(processor, row, num_tokens)
        if compiled is not None:
            matcher = compiled.matcher(eos_tokens)
            matcher.source = source_of(processor)
            matchers.append(matcher)
    return matchers


def source_of(processor: Any) -> Source | None:
    """The schema that an adopted processor enforces, if its grammar still has it, as llguidance's do."""
    try:
        grammars = json.loads(getattr(processor, "grammar", ""))["grammars"]
    except (ValueError, TypeError, KeyError):  # Lark, or not llguidance's
        return None
    schemas = [grammar.get("json_schema") for grammar in grammars]
    return (
        Source(Language.JSON_SCHEMA, json.dumps(schemas[0])) if len(schemas) == 1 and schemas[0] is not None else None
    )


def adopted(processor: object, row: int, num_tokens: int) -> Compiled | None:
    """The grammar that `processor` masks `row` with; None if it is not recognised, or was used before.

    num_tokens: size of the model's vocabulary.
    """
    adopt = _KNOWN.get(_class_name(processor))
    return None if adopt is None else adopt(processor, row, num_tokens)


def is_adopted(processor: object) -> bool:
    """Whether `processor` is recognised."""
    return _class_name(processor) in _KNOWN


def _class_name(processor: object) -> str:
    cls = type(processor)
    return f"{cls.__module__}.{cls.__qualname__}"


def _llguidance(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    if not processor.is_first_token:
        return None
    tokenizer = processor.llg_tokenizer
    try:
        return llguidance.Compiled(processor.grammar, _vocabulary(tokenizer, llguidance.vocabulary_of), tokenizer)
    except BackendError:
        return None  # the processor itself will raise when it makes a mask


def _outlines_core(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    if not processor.is_first_token:
        return None
    if row == 0 and outlines_core.may_drop(processor.index):
        warnings.warn(
            "outlines-core drops tokens that lead from a whole text to an unfinished one, got an index with such"
            r" tokens: it may not allow all that its pattern says, as [0-9]+(\.[0-9]+)? does not allow"
            " 1.5; another backend of Outlines does, or ngramspec.Guard",
            GuardWarning,
            stacklevel=2,
        )
    return outlines_core.Compiled(processor.index, _vocabulary(num_tokens, outlines_core.vocabulary_of))


def _outlines_xgrammar(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    return _xgrammar(processor.compiled_grammar) if processor.is_first_token else None


def _xgrammar_contrib(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    grammars = processor.compiled_grammars
    if processor.prefilled or not (len(grammars) == 1 or row < len(grammars)):
        return None
    return _xgrammar(grammars[0] if len(grammars) == 1 else grammars[row])


def _xgrammar(grammar: Any) -> Compiled:
    return xgrammar.Compiled(grammar, _vocabulary(grammar.tokenizer_info, xgrammar.vocabulary_of))


_KNOWN: dict[str, Callable[[Any, int, int], Compiled | None]] = {
    "outlines.backends.llguidance.LLGuidanceLogitsProcessor": _llguidance,
    "outlines.backends.outlines_core.OutlinesCoreLogitsProcessor": _outlines_core,
    "outlines.backends.xgrammar.XGrammarLogitsProcessor": _outlines_xgrammar,
    "xgrammar.contrib.hf.LogitsProcessor": _xgrammar_contrib,
}

_MAX_KEPT = 4
_vocabularies: "OrderedDict[int, tuple[Any, Vocabulary]]" = OrderedDict()
_lock = forking.lock(is_held_long=True)


def _vocabulary(tokenizer: Any, read: Callable[[Any], Vocabulary]) -> Vocabulary:
    """The vocabulary of a backend's own tokenizer; reading 131 k tokens takes a while, so a few are kept."""
    with _lock:
        kept = _vocabularies.get(id(tokenizer))
        if kept is None:
            kept = _vocabularies[id(tokenizer)] = (
                tokenizer,
                read(tokenizer),
            )  # kept alive, because ids are reused
        _vocabularies.move_to_end(id(tokenizer))
        while len(_vocabularies) > _MAX_KEPT:
            _vocabularies.popitem(last=False)
        return kept[1]
