"""Constraints of others, recognised: Outlines' three and xgrammar's.

They go on masking, in commit order, so the text is what it would be without speculation. A matcher rebuilt from their
grammar keeps drafts within it. They are told by the name of their class, so nothing is imported that is not there.
A used one, whose state is not its grammar's start, is left alone, and so is a stranger.
"""

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ngramspec import forking
from ngramspec.errors import GuardWarning
from ngramspec.guards import Matcher, Vocabulary
from ngramspec.guards.backends import llguidance, outlines_core, xgrammar
from ngramspec.guards.phases import Compiled
from ngramspec.guards.source import Language, Source
from ngramspec.guards.types import BackendError
from ngramspec.hf.refusals import vocabulary
from ngramspec.hf.request import Request


def guides_of(request: Request, row: int) -> list[Matcher]:
    """Fresh matchers for one row, from the constraints of others among the call's processors."""
    matchers = []
    for processor in request.processors:
        compiled = adopted(processor, row, vocabulary(request.model))
        if compiled is not None:
            matcher = compiled.matcher(request.stops.eos_tokens)
            matcher.source = source_of(processor)
            matchers.append(matcher)
    return matchers


def source_of(processor: Any) -> Source | None:
    """The schema that an adopted processor masks with, where it still says so: llguidance's grammars hold theirs."""
    try:
        grammars = json.loads(getattr(processor, "grammar", ""))["grammars"]
    except (ValueError, TypeError, KeyError):  # Lark, or none of llguidance's
        return None
    schemas = [grammar.get("json_schema") for grammar in grammars]
    return (
        Source(Language.JSON_SCHEMA, json.dumps(schemas[0])) if len(schemas) == 1 and schemas[0] is not None else None
    )


def adopted(processor: object, row: int, num_tokens: int) -> Compiled | None:
    """The grammar that `processor` masks `row` with; None where it is a stranger, or was used.

    num_tokens: of the model's vocabulary.
    """
    adopt = _KNOWN.get(_class_name(processor))
    return None if adopt is None else adopt(processor, row, num_tokens)


def is_adopted(processor: object) -> bool:
    """Whether `processor` is one of those that are recognised."""
    return _class_name(processor) in _KNOWN


def _class_name(processor: object) -> str:
    kind = type(processor)
    return f"{kind.__module__}.{kind.__qualname__}"


def _llguidance(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    if not processor.is_first_token:
        return None
    tokenizer = processor.llg_tokenizer
    try:
        return llguidance.Compiled(processor.grammar, _vocabulary(tokenizer, llguidance.vocabulary_of), tokenizer)
    except BackendError:
        return None  # it will say so itself, when it is asked for a mask


def _outlines_core(processor: Any, row: int, num_tokens: int) -> Compiled | None:
    if not processor.is_first_token:
        return None
    if row == 0 and outlines_core.may_drop(processor.index):
        warnings.warn(
            "outlines-core drops tokens that lead from a whole text to an unfinished one, got an index whose texts go"
            r" on behind a whole one: it may not allow all that its pattern says, as [0-9]+(\.[0-9]+)? does not allow"
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
    """What a backend's own tokenizer says of its tokens: reading 131 k of them takes a while, so a few are kept."""
    with _lock:
        kept = _vocabularies.get(id(tokenizer))
        if kept is None:
            kept = _vocabularies[id(tokenizer)] = (tokenizer, read(tokenizer))  # held, so that its id stays its own
        _vocabularies.move_to_end(id(tokenizer))
        while len(_vocabularies) > _MAX_KEPT:
            _vocabularies.popitem(last=False)
        return kept[1]
