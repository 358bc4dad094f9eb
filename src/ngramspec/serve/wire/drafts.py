"""What a chunk says of drafts, with `stream_options.include_drafts`: our own, for pages that show them."""

from typing import Literal

from pydantic import BaseModel

Origin = Literal["prompt", "answer", "prediction", "history", "form or history"]
"""A text that an accepted draft token stands in, after the same tokens as in the answer."""


class PassToken(BaseModel):
    """A token that a pass has emitted. text: what it completes. origin: of a drafted one; None for the model's own."""

    text: str
    origin: Origin | None


class Pass(BaseModel):
    """What a pass of the model has added to an answer."""

    index: int
    tokens: list[PassToken]
