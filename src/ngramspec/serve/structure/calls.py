"""The guard of an answer that may, or must, call functions: their arguments fit their schemas."""

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from ngramspec.errors import shortened
from ngramspec.guards import Guard, Vocabulary
from ngramspec.serve.text.call_forms import CallForm, CallLayout
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.tools import FunctionSpec
from ngramspec.serve.wire.turns import Calls

Make = Callable[..., Guard]
"""Makes a guard. Takes the field it is for, one of Guard's constructors, and the arguments of that."""

_NO_CALL = r"[^{\s\x1c-\x1f]"
"""First character of an answer that is not a call. Not a blank either, after which a call might follow."""


def call_guard(
    calls: Calls,
    form: CallForm,
    vocabulary: Vocabulary,
    make: Make,
    *,
    param: str = "tools[{index}].function.parameters",
    answer: Any = None,
    max_seconds: float = math.inf,
) -> Guard:
    """The guard of an answer that may make `calls`, written as `form`.

    Each schema is first compiled alone, so that an error names its tool; max_seconds: the time allowed for that.
    param: location of a tool's schema in the body. answer: the schema of an answer without calls, if it must fit one.
    Raises ApiError.
    """
    ends = time.monotonic() + max_seconds
    fields = {index: param.format(index=index) for index in calls.functions}
    schemas = {index: _arguments_schema(function, fields[index]) for index, function in calls.functions.items()}
    for number, (index, schema) in enumerate(schemas.items(), 1):
        make(fields[index], Guard.json_schema, schema)
        if time.monotonic() > ends:
            raise invalid(
                f"tools must be compiled within {max_seconds:g} seconds, got {number} of {len(schemas)} done: send"
                " fewer of them, or simpler schemas",
                param="tools",
            )
    if answer is not None and form.layout is CallLayout.ALONE and not calls.must_call:
        raise invalid(
            "tools beside a form of the text need a model whose calls have a marker, got one whose calls have none:"
            " leave one out, or set tool_choice",
            param="tools",
        )
    rules = _call_rules(calls.functions, schemas, form, vocabulary)
    if form.layout is CallLayout.EACH and not calls.must_call and answer is None:
        guard = make("tools", Guard.grammar, f'start: "\\n"? call "\\n"?\n{rules}')
        return guard.between(form.opening, form.closing)
    called = _called(form, vocabulary, calls.is_one)
    if calls.must_call:
        return make("tools", Guard.grammar, f"start: {called}\n{rules}")
    is_sure = form.layout in (CallLayout.EACH, CallLayout.ALONE)  # only a call can begin like a call
    if not is_sure and not _is_token(form.opening, vocabulary):
        raise invalid(f"tools need a model with the special token {form.opening}, got one without", param="tools")
    if answer is not None:
        return make("tools", Guard.grammar, f"start: {called} | answer\nanswer: %json {json.dumps(answer)}\n{rules}")
    if form.layout is CallLayout.ALONE:
        return make("tools", Guard.grammar, f"start: (call | TEXT)?\nTEXT: /{_NO_CALL}(.|\\n)*/\n{rules}")
    return make("tools", Guard.grammar, f"start: TEXT? ({called})?\nTEXT: /(.|\\n)+/\n{rules}")


def _called(form: CallForm, vocabulary: Vocabulary, is_one: bool) -> str:
    """The calls of an answer, with their markers, in Lark; each call is a `call`."""
    opening, closing = _marker(form.opening, vocabulary), _marker(form.closing, vocabulary)
    match form.layout:
        case CallLayout.ALONE:
            return "call"
        case CallLayout.EACH:
            one = f'{opening} "\\n" call "\\n" {closing}'
            return one if is_one else f'{one} ("\\n" {one})*'
        case CallLayout.LIST:
            more = "" if is_one else '("," " "? call)*'
            return f'{opening} " "? "[" call {more} "]"'
        case CallLayout.NAMED:
            return f"{opening} call" if is_one else f"({opening} call)+"


def _is_token(marker: str, vocabulary: Vocabulary) -> bool:
    return _marker(marker, vocabulary).startswith("<")


def _marker(marker: str, vocabulary: Vocabulary) -> str:
    """A marker in Lark: a special token by its id, anything else as text."""
    name = marker.encode()
    token = next((token for token in sorted(vocabulary.special) if vocabulary.tokens[token] == name), None)
    return json.dumps(marker) if token is None else f"<[{token}]>"


def _call_rules(
    functions: Mapping[int, FunctionSpec], schemas: Mapping[int, Any], form: CallForm, vocabulary: Vocabulary
) -> str:
    """The rule `call`, for any of the functions, written as in templates: with a space after each colon and comma."""
    heads = {index: json.dumps(f'{{"name": "{each.name}", "{form.arguments}": ') for index, each in functions.items()}
    tail = ' "}"'
    if form.layout is CallLayout.NAMED:
        number = f"{_marker(form.before_id, vocabulary)} /[a-zA-Z0-9]{{9}}/ " if form.before_id else ""
        before = number + _marker(form.before_arguments, vocabulary)
        heads, tail = {index: f"{json.dumps(each.name)} {before}" for index, each in functions.items()}, ""
    calls = [f"{head} arguments{index}{tail}" for index, head in heads.items()]
    arguments = [f"arguments{index}: %json {json.dumps(schema)}" for index, schema in schemas.items()]
    return "\n".join([f"call: {' | '.join(calls)}", *arguments])


def _arguments_schema(function: FunctionSpec, param: str) -> dict[str, Any]:
    """The schema of the arguments; raises ApiError unless they are an object."""
    if function.parameters is None:  # OpenAI's meaning: a function without parameters
        return {"type": "object", "properties": {}, "additionalProperties": False}
    kind = function.parameters.get("type", "object")
    if kind != "object":
        raise invalid(
            f"the arguments of a function must be an object, got parameters of type {shortened(kind)}", param=param
        )
    return {"type": "object", **function.parameters}
