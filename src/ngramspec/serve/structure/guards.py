"""The guard of a request, from its schema, regex, choice or grammar; or an error with the reason and its location."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ngramspec.errors import GuardError, GuardWarning, UnsupportedError, shortened
from ngramspec.guards import Guard, Limits, Vocabulary
from ngramspec.guards.source import Whitespace
from ngramspec.guards.types import num_words
from ngramspec.serve.structure.calls import call_guard
from ngramspec.serve.text.call_forms import CallForm
from ngramspec.serve.text.parts import CLOSING
from ngramspec.serve.wire.errors import ApiError, invalid
from ngramspec.serve.wire.requests import TextRequest
from ngramspec.serve.wire.structure import StructuredOutputs
from ngramspec.serve.wire.turns import TurnsRequest

ANY_OBJECT = {"type": "object"}
ANYTHING = r"(?s:.*)"

_ANY_BLANKS = re.compile(r"\[((?: |\\n|\\r|\\t|\n|\r|\t)+)\]\*")
"""Matches a regex for any number of some blanks, which are escaped or literal."""


def guard_of(
    request: TextRequest,
    vocabulary: Vocabulary,
    limits: Limits,
    cache_salt: str,
    *,
    form: CallForm | None = None,
    opening: str = "",
) -> Guard | None:
    """The guard of a request, None if its text is free. Compiling may take as long as the limits allow.

    cache_salt: of the tenant, who cannot reach the guards of others. form: of the function calls that are allowed.
    opening: the marker of reasoning, which the answer or its prompt may begin with and the guarded text follows; ""
    for none.
    Raises ApiError if the form cannot be enforced. Its code is "unsupported" if a keyword or construct is the reason,
    whose location the message has, and "invalid_constraint" otherwise.
    """

    def make(param: str, maker: Callable[..., Guard], source: Any, **options: Any) -> Guard:
        try:
            made = maker(source, vocabulary, limits=limits, cache_salt=cache_salt, **options)
            _check_begins(made, param)
            return made
        except GuardError as error:
            raise _refused(error, param) from error
        except GuardWarning as warning:  # if the process turns it into an error, as the command does
            raise invalid(f"{param}: {warning}", param=param, code="unsupported") from warning

    guard = _guard(request, vocabulary, make, form, limits.max_seconds)
    if not opening:
        return guard
    budget = request.reasoning_budget
    if guard is None and budget is not None:
        guard = Guard.regex(ANYTHING, vocabulary)
    return None if guard is None else guard.after(CLOSING, opening=opening, max_tokens=budget)


def _check_begins(guard: Guard, param: str) -> None:
    """Raise ApiError or GuardError if no text can begin: a valid grammar may have none that ends."""
    mask = np.zeros((1, num_words(len(guard.vocabulary))), np.int32)
    guard.matcher().fill([], mask)
    if not mask.any():
        raise invalid(f"{param}: some text must be allowed, got a form that allows none", param=param)


def _guard(
    request: TextRequest, vocabulary: Vocabulary, make: Callable[..., Guard], form: CallForm | None, max_seconds: float
) -> Guard | None:
    if form is not None:
        return _with_calls(request, vocabulary, make, form, max_seconds)
    if request.structured_outputs is not None:
        return _structured(request.structured_outputs, make)
    answer = _answer_schema(request)
    return None if answer is None else make(answer.param, Guard.json_schema, answer.schema)


@dataclass(frozen=True, slots=True)
class _AnswerSchema:
    """The schema of an answer, and the field with it."""

    schema: Any
    param: str


def _answer_schema(request: TextRequest) -> _AnswerSchema | None:
    """The schema that OpenAI's response format asks for; None for none."""
    form = request.form
    if form is None or form.type == "text":
        return None
    if form.json_schema is None:
        return _AnswerSchema(ANY_OBJECT, request.form_param)
    return _AnswerSchema(form.json_schema.schema_, request.schema_param)


def _with_calls(
    request: TextRequest, vocabulary: Vocabulary, make: Callable[..., Guard], form: CallForm, max_seconds: float
) -> Guard:
    """The guard of calls, and of an answer without calls."""
    assert isinstance(request, TurnsRequest)
    assert request.calls is not None
    answer = _answer_schema(request)
    if answer is not None:
        make(answer.param, Guard.json_schema, answer.schema)  # alone first, so that an error names its field
    return call_guard(
        request.calls,
        form,
        vocabulary,
        make,
        param=request.parameters_param,
        answer=None if answer is None else answer.schema,
        max_seconds=max_seconds,
    )


def _structured(outputs: StructuredOutputs, make: Callable[..., Guard]) -> Guard:
    where = "structured_outputs."
    if outputs.is_json:
        schema = ANY_OBJECT if outputs.json_ is None else outputs.json_
        name = "json_object" if outputs.json_ is None else "json"
        return make(where + name, Guard.json_schema, schema, whitespace=_whitespace(outputs))
    if outputs.regex is not None:
        return make(where + "regex", Guard.regex, outputs.regex)
    if outputs.choice is not None:
        return make(where + "choice", Guard.choice, outputs.choice)
    return make(where + "grammar", Guard.grammar, outputs.grammar)


def _whitespace(outputs: StructuredOutputs) -> Whitespace:
    """The requested whitespace, as an option of guards; raises ApiError for a pattern that would not be enforced."""
    pattern = outputs.whitespace_pattern
    if outputs.disable_any_whitespace and pattern:
        raise invalid(
            f"disable_any_whitespace leaves nothing to a whitespace_pattern, got {shortened(pattern)}: leave one out",
            param="structured_outputs.whitespace_pattern",
        )
    if outputs.disable_any_whitespace or pattern == "":
        return "compact"
    if pattern is None or _is_any_blanks(pattern):
        return "flexible"
    raise invalid(
        r"whitespace_pattern must be '' (none) or '[ \n\r\t]*' (any), got one that would not be enforced:"
        f" {shortened(pattern)}",
        param="structured_outputs.whitespace_pattern",
        code="unsupported",
    )


def _is_any_blanks(pattern: str) -> bool:
    """Whether the regex matches any number of JSON's four blanks, listed in any order."""
    found = _ANY_BLANKS.fullmatch(pattern)
    listed = found.group(1) if found else ""
    for escape, blank in ((r"\n", "\n"), (r"\r", "\r"), (r"\t", "\t")):
        listed = listed.replace(escape, blank)
    return set(listed) == set(" \n\r\t")


def _refused(error: GuardError, param: str) -> ApiError:
    code = "unsupported" if isinstance(error, UnsupportedError) else "invalid_constraint"
    return invalid(f"{param}: {error}", param=param, code=code)
