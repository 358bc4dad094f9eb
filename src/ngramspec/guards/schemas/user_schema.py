"""The schema that a user passes, a dict, JSON text or a Python type, as JSON text."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.parsing import check, parsed


def schema_text(schema: Any) -> str:
    """`schema` as JSON text. Raises GuardError if it is neither a schema nor a type with one."""
    if isinstance(schema, str) and not is_type(schema):
        value = parsed(schema)
        _check_kind(value)
        return "{}" if value is True else schema.strip()
    if is_type(schema):
        schema = _of_type(schema)
    if schema is True:
        schema = {}
    _check_kind(schema)
    check(schema)
    try:
        return json.dumps(schema, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise GuardError(
            f"a schema must be JSON, got {shortened(schema)}: {error}: instead of a dict of types, write a TypedDict"
        ) from error


def _check_kind(schema: Any) -> None:
    if not isinstance(schema, dict | bool):
        raise GuardError(
            f"a schema must be a dict, JSON text, or a type that pydantic accepts, got {shortened(schema)}"
            + _way_out(schema)
        )


def is_type(schema: Any) -> bool:
    """Whether `schema` is a type, an annotation such as `list[int]` or `Literal["a", "b"]`, or a function."""
    is_annotation = hasattr(schema, "__origin__") or type(schema).__module__ in ("types", "typing")
    return is_annotation or isinstance(schema, type | FunctionType)


def open_classes(text: str) -> Iterator[tuple[str, str]]:
    """The classes in a type's schema (JSON text) that allow undeclared keys: their names and schemas."""
    document = json.loads(text)
    for name, schema in [("", document), *document.get("$defs", {}).items()]:
        if "properties" in schema and "additionalProperties" not in schema:
            yield schema.get("title") or name, json.dumps({**schema, "$defs": None})


def _of_type(kind: Any) -> Any:
    """The schema of a type, by pydantic: `TypeAdapter` accepts any annotation, and dataclasses."""
    try:
        from pydantic import TypeAdapter
    except ImportError as error:
        raise ImportError("the schema of a type needs pydantic: pip install pydantic, or pass a dict") from error
    try:
        own = getattr(kind, "model_json_schema", None)  # a pydantic class may have one of its own
        return TypeAdapter(kind).json_schema() if own is None else own()
    except Exception as error:  # pydantic's many errors, and whatever a type itself raises
        reason = str(error).partition("\n")[0]
        raise GuardError(f"a type must have a JSON schema, got {shortened(kind)}: pydantic says: {reason}") from error


def _way_out(schema: Any) -> str:
    if isinstance(schema, Path):
        return ": pass the content of the file, path.read_text()"
    if hasattr(type(schema), "model_json_schema") or hasattr(type(schema), "__dataclass_fields__"):
        return f": pass the class, {type(schema).__name__}"
    if isinstance(schema, list | tuple):
        return ": for one of several values write Literal[…], for a list of them list[…]"
    return ": the tokenizer comes second" if hasattr(schema, "backend_tokenizer") else ""
