"""What all models of requests have in common."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A part of a request: an unknown field is refused, as OpenAI does, and no value is taken for one of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
