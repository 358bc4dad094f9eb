"""The schemas that recorded function calls were made under: read from the tools that stand in their prompts."""

import json
from typing import Any

_TOOLS = "Tools:\n"
_PARAMETERS = ("parameters", "path_parameters", "query_parameters", "arguments")
_VALUES = ("enum", "allowed_values", "possible_values")
_NOTES = ("description", "default", "example", "examples")
_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "array": "array",
    "tuple": "array",
    "object": "object",
    "dict": "object",
}
_EARLIER = {"type": "string", "pattern": r"^\$var[0-9]+(\.[^$]*)?\$$"}
"""In a sequence of calls, what an earlier one returned."""


def call_schema(prompt: str, *, in_sequence: bool) -> dict[str, Any] | None:
    """The schema of a list of calls of the prompt's tools; None where it names none.

    in_sequence: each call but the last one has a label, arguments may be what earlier calls returned, and the last one
        says which of them are wanted.
    """
    start = prompt.find(_TOOLS)
    if start < 0:
        return None
    try:
        tools, _ = json.JSONDecoder().raw_decode(prompt, start + len(_TOOLS))
    except ValueError:
        return None
    calls = [_call(tool, in_sequence) for tool in tools]
    if in_sequence:
        calls.append(_object({"name": {"const": "var_result"}, "arguments": {"type": "object"}}))
    return {"type": "array", "items": {"anyOf": calls}}


def _call(tool: dict[str, Any], in_sequence: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for place in _PARAMETERS:
        declared = tool.get(place, {})
        if "properties" in declared and declared.get("type") in ("dict", "object"):
            required += declared.get("required", ())
            declared = declared["properties"]
        required += [name for name, value in declared.items() if value.get("required") is True]
        properties |= {name: _value(value) for name, value in declared.items()}
    if in_sequence:
        properties = {name: {"anyOf": [value, _EARLIER]} if value else {} for name, value in properties.items()}
    call = {"name": {"const": tool["name"]}, "arguments": _object(properties, required)}
    if in_sequence:
        call["label"] = {"type": "string", "pattern": "^var[0-9]+$"}
    return _object(call)


def _value(declared: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a parameter, for which recordings have type names and keywords of their own."""
    made = {keyword: declared[keyword] for keyword in _NOTES if keyword in declared}
    kind = _TYPES.get(str(declared.get("type", "")).lower())
    if kind is not None:
        made["type"] = kind
    for keyword in _VALUES:
        if isinstance(declared.get(keyword), list) and declared[keyword]:
            made["enum"] = declared[keyword]
    if kind == "array" and isinstance(declared.get("items"), dict):
        made["items"] = _value(declared["items"])
    if kind == "object" and isinstance(declared.get("properties"), dict):
        names = declared["properties"]
        required = declared.get("required")
        made |= _object(
            {name: _value(value) for name, value in names.items()}, required if isinstance(required, list) else ()
        )
    return made


def _object(properties: dict[str, Any], required: Any = None) -> dict[str, Any]:
    """An object of these properties and no others; by default all of them are required."""
    names = list(properties) if required is None else [name for name in properties if name in required]
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
