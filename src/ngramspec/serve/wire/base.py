"""What all models of requests have in common."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A part of a request. An unknown field is refused, as by OpenAI, and no value is taken for one of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
