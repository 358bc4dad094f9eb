"""Requests of `/v1/responses`, OpenAI's newer way to ask: text in, text out."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ngramspec.serve.wire.base import Few, Many, Wire
from ngramspec.serve.wire.chat_requests import Message
from ngramspec.serve.wire.requests import MOST_TOP_LOGPROBS, TextPart, TextRequest
from ngramspec.serve.wire.structure import JsonSchema, ResponseFormat

ELSEWHERE = {
    "n": "one answer comes to a request",
    "response_format": "write text: {format}",
    "max_tokens": "write max_output_tokens",
    "stream_options": "the last event has the counts anyway",
}
"""Fields of chats that are something else here."""


class InputText(Wire):
    """A part of a message. Of an earlier answer's, which comes back, only the text is read."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputMessage(Wire):
    """A turn; of an earlier answer, as it was told."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Many[InputText]
    id: str | None = None
    status: str | None = None

    def as_turn(self) -> Message:
        """As chats have it."""
        if isinstance(self.content, str):
            return Message(role=self.role, content=self.content)
        return Message(role=self.role, content=[TextPart(type="text", text=part.text) for part in self.content])


class InputReasoning(Wire):
    """The reasoning of an earlier answer, as it was told. It is not read: templates leave it out of earlier turns."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: Many[Any] | None = None
    content: Many[Any] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class TextFormat(Wire):
    """`text.format`. The schema is enforced whether `strict` is set or not."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> "TextFormat":
        if (self.type == "json_schema") != (self.schema_ is not None and self.name is not None):
            raise ValueError(
                "text.format needs a name and a schema with type 'json_schema', and neither with another, got type"
                f" {self.type!r}"
            )
        return self


class TextOptions(Wire):
    """`text`."""

    format: TextFormat | None = None


class ResponseRequest(TextRequest):
    """`/v1/responses`. Answers are not kept: what came before is sent again, in `input`."""

    input: str | Many[InputMessage | InputReasoning]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    text: TextOptions | None = None
    include: Few[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    store: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None

    form_param: ClassVar[str] = "text.format"
    schema_param: ClassVar[str] = "text.format.schema"

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_elsewhere(cls, body: Any) -> Any:
        for name, instead in ELSEWHERE.items():
            if isinstance(body, dict) and name in body:
                raise ValueError(f"{name} is a field of chats, got it in a response: {instead}")
        return body

    @model_validator(mode="after")
    def _lists_what_it_asks_for(self) -> "ResponseRequest":
        if not self.turns:
            raise ValueError("input must have at least one turn, got none: write something")
        if self.top_logprobs is not None and not self.include:
            raise ValueError(
                "top_logprobs are for include=['message.output_text.logprobs'], got them without: add it, or leave them"
                " out"
            )
        return self

    @property
    def form(self) -> ResponseFormat | None:
        """See `TextRequest`."""
        asked = None if self.text is None else self.text.format
        if asked is None:
            return None
        if asked.name is None or asked.schema_ is None:
            return ResponseFormat(type=asked.type)
        return ResponseFormat(type=asked.type, json_schema=JsonSchema(name=asked.name, schema=asked.schema_))

    @property
    def turns(self) -> list[Message]:
        """What is asked, as a chat."""
        first = [] if self.instructions is None else [Message(role="system", content=self.instructions)]
        if isinstance(self.input, str):
            return [*first, Message(role="user", content=self.input)]
        return [*first, *(item.as_turn() for item in self.input if isinstance(item, InputMessage))]
