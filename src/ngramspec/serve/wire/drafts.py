"""Fields of chunks about drafts, with `stream_options.include_drafts`: our own, for pages that show drafts."""

from typing import Literal

from pydantic import BaseModel

Origin = Literal["prompt", "answer", "prediction", "history", "form or history"]
"""A text in which an accepted draft token follows the same tokens as in the answer."""


class PassToken(BaseModel):
    """A token that a pass emitted. text: what it completes. origin: of a drafted token; None for the model's own."""

    text: str
    origin: Origin | None


class Pass(BaseModel):
    """The tokens that a pass of the model added to an answer."""

    index: int
    tokens: list[PassToken]
