"""The base of all models of requests: validation stops at the first error.

pydantic would collect every error, and a few megabytes may have a million of them, which takes a minute.
"""

from collections.abc import Sized
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T")

UNRECOGNIZED = "unrecognized"
"""The type of the error for an unknown field, whose name is in its context."""


class Wire(BaseModel):
    """A part of a request. An unknown field is refused, as by OpenAI, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_all_fields(cls, body: Any) -> Any:
        if isinstance(body, dict):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            unknown = next((name for name in body if name not in known), None)
            if unknown is not None:
                raise PydanticCustomError(UNRECOGNIZED, "no such field", {"name": unknown})
        return body


def _of_at_most(most: int) -> BeforeValidator:
    """Refuses a value with more items before any item is validated."""

    def check(value: Any) -> Any:
        if isinstance(value, Sized) and not isinstance(value, str | bytes) and len(value) > most:
            raise PydanticCustomError("too_long", "Input should have at most {most} items", {"most": most})
        return value

    return BeforeValidator(check)


Few = Annotated[list[T], Field(fail_fast=True), _of_at_most(16)]
Some = Annotated[list[T], Field(fail_fast=True), _of_at_most(128)]
Many = Annotated[list[T], Field(fail_fast=True), _of_at_most(4096)]
"""Lists of bounded length."""

TokenIds = Annotated[list[int], Field(fail_fast=True), _of_at_most(1 << 18)]
FewNamed = Annotated[dict[str, T], _of_at_most(16)]
ManyNamed = Annotated[dict[str, T], _of_at_most(1024)]
