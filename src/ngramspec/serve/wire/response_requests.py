"""Requests of `/v1/responses`, OpenAI's newer API: text in, text out."""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ngramspec.serve.wire.base import Few, Many, Some, Wire
from ngramspec.serve.wire.requests import MOST_TOP_LOGPROBS, TextPart
from ngramspec.serve.wire.structure import JsonSchema, ResponseFormat
from ngramspec.serve.wire.tools import CallId, FunctionCall, FunctionSpec, Name, ReasoningEffort, Tool, ToolCall
from ngramspec.serve.wire.turns import Message, TurnsRequest

ELSEWHERE = {
    "n": "one answer comes to a request",
    "response_format": "write text: {format}",
    "max_tokens": "write max_output_tokens",
    "stream_options": "the last event has the counts anyway",
    "reasoning_effort": "write reasoning: {effort}",
}
"""Fields of chats that are not accepted here, and what to do instead."""


MOST_CALLS = 128
"""Most calls of one answer, as in chats."""


class InputText(Wire):
    """A part of a message. If an earlier answer comes back, only its text is read."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputMessage(Wire):
    """A turn; an earlier answer comes as it was sent."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Many[InputText]
    id: str | None = None
    status: str | None = None

    def as_turn(self) -> Message:
        """The same in the format of chats."""
        return Message(role=self.role, content=_content(self.content))


class InputReasoning(Wire):
    """The reasoning of an earlier answer, as it was sent. It is ignored: templates leave it out of earlier turns."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: Many[Any] | None = None
    content: Many[Any] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class InputCall(Wire):
    """A function call in an earlier answer, as it was sent."""

    type: Literal["function_call"]
    call_id: CallId
    name: Name
    arguments: str
    id: str | None = None
    status: str | None = None
    parsed_arguments: Any = None

    @model_validator(mode="after")
    def _is_a_call(self) -> "InputCall":
        self.as_call()
        return self

    def as_call(self) -> ToolCall:
        """The same in the format of chats."""
        return ToolCall(id=self.call_id, function=FunctionCall(name=self.name, arguments=self.arguments))


class InputResult(Wire):
    """The result of a function call."""

    type: Literal["function_call_output"]
    call_id: CallId
    output: str | Many[InputText]
    id: str | None = None
    status: str | None = None

    def as_turn(self) -> Message:
        """The same in the format of chats."""
        return Message(role="tool", tool_call_id=self.call_id, content=_content(self.output))


_ITEMS = {
    "message": "InputMessage",
    "reasoning": "InputReasoning",
    "function_call": "InputCall",
    "function_call_output": "InputResult",
}
"""Kinds of items, by `type`, which a turn may leave out."""


def _item_of(value: Any) -> str | None:
    kind = value.get("type", "message") if isinstance(value, dict) else "message"
    return _ITEMS.get(kind) if isinstance(kind, str) else None


InputItem = Annotated[
    Annotated[InputMessage, Tag("InputMessage")]
    | Annotated[InputReasoning, Tag("InputReasoning")]
    | Annotated[InputCall, Tag("InputCall")]
    | Annotated[InputResult, Tag("InputResult")],
    Discriminator(
        _item_of,
        custom_error_type="unknown_item",
        custom_error_message=f"Input should be an item of the type {', '.join(_ITEMS)}",
    ),
]
"""An item of `input`."""


class ResponseTool(Wire):
    """One of `tools`: that of chats, but flat."""

    type: Literal["function"]
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def as_tool(self) -> Tool:
        """The same in the format of chats."""
        return Tool(type="function", function=FunctionSpec(**self.model_dump(exclude={"type"})))


class NamedFunctionTool(Wire):
    """A `tool_choice` that names the function."""

    type: Literal["function"]
    name: Name


class ReasoningOptions(Wire):
    """`reasoning`."""

    effort: ReasoningEffort | None = None


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


class ResponseRequest(TurnsRequest):
    """`/v1/responses`. Answers are not stored: the client sends earlier turns again, in `input`."""

    input: str | Many[InputItem]
    instructions: str | None = None
    tools: Some[ResponseTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunctionTool | None = None
    reasoning: ReasoningOptions | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    text: TextOptions | None = None
    include: Few[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    truncation: Literal["disabled"] | None = None

    form_param: ClassVar[str] = "text.format"
    schema_param: ClassVar[str] = "text.format.schema"
    parameters_param: ClassVar[str] = "tools[{index}].parameters"
    effort_param: ClassVar[str] = "reasoning.effort"

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_elsewhere(cls, body: Any) -> Any:
        for name, instead in ELSEWHERE.items():
            if isinstance(body, dict) and name in body:
                raise ValueError(f"{name} is a field of chats, got it in a response: {instead}")
        return body

    @model_validator(mode="after")
    def _lists_what_it_asks_for(self) -> "ResponseRequest":
        runs = [len(list(items)) for kind, items in groupby(self.input, type) if kind is InputCall]
        if max(runs, default=0) > MOST_CALLS:
            raise ValueError(f"an answer in input may have at most {MOST_CALLS} calls, got {max(runs)}")
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
        text_format = None if self.text is None else self.text.format
        if text_format is None:
            return None
        if text_format.name is None or text_format.schema_ is None:
            return ResponseFormat(type=text_format.type)
        return ResponseFormat(
            type=text_format.type, json_schema=JsonSchema(name=text_format.name, schema=text_format.schema_)
        )

    @property
    def turns(self) -> Sequence[Message]:
        """See `TurnsRequest`."""
        turns = [] if self.instructions is None else [Message(role="system", content=self.instructions)]
        if isinstance(self.input, str):
            return [*turns, Message(role="user", content=self.input)]
        for kind, items in groupby(self.input, type):
            if kind is InputCall:
                turns.append(_with_calls(turns, [item.as_call() for item in items if isinstance(item, InputCall)]))
            else:
                turns += [item.as_turn() for item in items if isinstance(item, InputMessage | InputResult)]
        return turns

    @property
    def known_tools(self) -> Sequence[Tool]:
        """See `TurnsRequest`."""
        return [tool.as_tool() for tool in self.tools or ()]

    @property
    def choice(self) -> tuple[str | None, str | None]:
        """See `TurnsRequest`."""
        chosen = self.tool_choice
        return (None, chosen.name) if isinstance(chosen, NamedFunctionTool) else (chosen, None)

    @property
    def effort(self) -> ReasoningEffort | None:
        """See `TurnsRequest`."""
        return None if self.reasoning is None else self.reasoning.effort


def _content(content: str | list[InputText]) -> str | list[TextPart]:
    return content if isinstance(content, str) else [TextPart(type="text", text=part.text) for part in content]


def _with_calls(turns: list[Message], calls: list[ToolCall]) -> Message:
    """The turn that `calls` belong to. An answer's parts are one turn in chats, so its text is removed from `turns`."""
    is_begun = bool(turns) and turns[-1].role == "assistant"
    return Message(role="assistant", content=turns.pop().content if is_begun else None, tool_calls=calls)
