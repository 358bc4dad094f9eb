"""The guard of an answer that may, or must, call functions: their arguments fit their schemas."""

import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from ngramspec.errors import shortened
from ngramspec.guards import Guard, Vocabulary
from ngramspec.serve.text.call_forms import CallForm, Layout
from ngramspec.serve.wire.chat_requests import ChatRequest
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.tools import FunctionSpec, NamedTool

Make = Callable[..., Guard]
"""Makes a guard: of the field it is for, one of Guard's makers, and what that takes."""

_NO_CALL = r"[^{\s\x1c-\x1f]"
"""What an answer begins with that is no call: no blank, after which one might follow."""


def call_guard(
    request: ChatRequest, form: CallForm, vocabulary: Vocabulary, make: Make, *, max_seconds: float = math.inf
) -> Guard:
    """The guard of the tools that `request` lets the answer call.

    Each schema is first compiled alone, so that an error names its tool; max_seconds: in which that must be done.
    Raises ApiError.
    """
    ends = time.monotonic() + max_seconds
    chosen = request.tool_choice
    functions = [tool.function for tool in request.callable_tools]
    schemas = [_arguments_schema(function, index) for index, function in enumerate(functions)]
    for index, schema in enumerate(schemas):
        make(f"tools[{index}].function.parameters", Guard.json_schema, schema)
        if time.monotonic() > ends:
            raise invalid(
                f"tools must be compiled within {max_seconds:g} seconds, got {index + 1} of {len(schemas)} done: send"
                " fewer of them, or simpler schemas",
                param="tools",
            )
    if isinstance(chosen, NamedTool):
        kept = [index for index, function in enumerate(functions) if function.name == chosen.function.name]
        functions, schemas = [functions[index] for index in kept], [schemas[index] for index in kept]
    must_call = chosen == "required" or isinstance(chosen, NamedTool)
    is_one = isinstance(chosen, NamedTool) or not request.parallel_tool_calls
    calls = _call_rules(functions, schemas, form)
    if form.layout is Layout.EACH and not must_call:
        guard = make("tools", Guard.grammar, f'start: "\\n"? call "\\n"?\n{calls}')
        return guard.between(form.opening, form.closing)
    return make("tools", Guard.grammar, f"start: {_answer(form, vocabulary, must_call, is_one)}\n{calls}")


def _answer(form: CallForm, vocabulary: Vocabulary, must_call: bool, is_one: bool) -> str:
    """What an answer is, as a rule of Lark without its name, and rules that it needs."""
    if form.layout is Layout.ALONE:
        return "call" if must_call else f"(call | TEXT)?\nTEXT: /{_NO_CALL}(.|\\n)*/"
    opening, closing = (_marker(marker, vocabulary) for marker in (form.opening, form.closing))
    if form.layout is Layout.EACH:
        one = f'{opening} "\\n" call "\\n" {closing}'
        return one if is_one else f'{one} ("\\n" {one})*'
    if not must_call and opening.startswith('"'):  # then free text might have it, and what follows would not be guarded
        raise invalid(f"tools need a model with the special token {form.opening}, got one without", param="tools")
    more = "" if is_one else '("," " "? call)*'
    calls = f'{opening} " "? "[" call {more} "]"'
    return calls if must_call else f"TEXT? ({calls})?\nTEXT: /(.|\\n)+/"


def _marker(marker: str, vocabulary: Vocabulary) -> str:
    """A marker in Lark: a special token by its id, or else a text."""
    name = marker.encode()
    token = next((token for token in sorted(vocabulary.special) if vocabulary.tokens[token] == name), None)
    return json.dumps(marker) if token is None else f"<[{token}]>"


def _call_rules(functions: Sequence[FunctionSpec], schemas: Sequence[Any], form: CallForm) -> str:
    """The rule `call`, for any of the functions, as templates write it: with a space after each colon and comma."""
    heads = [f'{{"name": "{function.name}", "{form.arguments}": ' for function in functions]
    calls = [f'{json.dumps(head)} arguments{index} "}}"' for index, head in enumerate(heads)]
    arguments = [f"arguments{index}: %json {json.dumps(schema)}" for index, schema in enumerate(schemas)]
    return "\n".join([f"call: {' | '.join(calls)}", *arguments])


def _arguments_schema(function: FunctionSpec, index: int) -> dict[str, Any]:
    """The schema of the arguments, an object; raises ApiError for one of something else."""
    if function.parameters is None:  # OpenAI: a function without parameters
        return {"type": "object", "properties": {}, "additionalProperties": False}
    kind = function.parameters.get("type", "object")
    if kind != "object":
        raise invalid(
            f"the arguments of a function must be an object, got parameters of type {shortened(kind)}",
            param=f"tools[{index}].function.parameters",
        )
    return {"type": "object", **function.parameters}
