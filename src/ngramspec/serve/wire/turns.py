"""The common fields of chats and responses: turns, functions that the answer may call, reasoning."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ngramspec.serve.wire.base import Few, Many, Some, Wire
from ngramspec.serve.wire.requests import TextPart, TextRequest
from ngramspec.serve.wire.tools import CallId, FunctionSpec, ReasoningEffort, TemplateOptions, Tool, ToolCall


class Message(Wire):
    """One turn of a chat.

    An answer may come back as it was sent, or as OpenAI's client writes it: fields that no turn has are ignored.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Many[TextPart] | None = None
    name: str | None = None
    tool_calls: Some[ToolCall] | None = None
    tool_call_id: CallId | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    annotations: Few[Any] | None = None
    audio: None = None
    function_call: None = None
    parsed: Any = None

    @model_validator(mode="after")
    def _has_what_its_role_has(self) -> "Message":
        is_assistant = self.role == "assistant"
        if (self.tool_calls or self.reasoning_content is not None) and not is_assistant:
            raise ValueError(
                f"tool_calls and reasoning_content are of the role 'assistant', got them with {self.role!r}"
            )
        if (self.tool_call_id is not None) != (self.role == "tool"):
            raise ValueError(f"tool_call_id is of the role 'tool', and each of its messages has one, got {self.role!r}")
        if self.content is None and not (is_assistant and (self.tool_calls or self.reasoning_content)):
            raise ValueError("a message needs content, got none: only an assistant's with tool_calls may be without")
        return self


@dataclass(frozen=True, slots=True)
class Calls:
    """The functions that an answer may call.

    functions: by index among the request's tools. must_call: whether the answer must call one; is_one: whether it may
    call only one.
    """

    functions: dict[int, FunctionSpec]
    must_call: bool
    is_one: bool


class TurnsRequest(TextRequest):
    """A request for the next turn.

    thinking_token_budget: the bound on tokens of reasoning, as in vLLM. chat_template_kwargs: as in vLLM.
    """

    parallel_tool_calls: bool = True
    thinking_token_budget: Annotated[int, Field(ge=0)] | None = None
    chat_template_kwargs: TemplateOptions | None = None

    parameters_param: ClassVar[str] = "tools[{index}].function.parameters"
    effort_param: ClassVar[str] = "reasoning_effort"
    """Locations of a function's schema and of the reasoning effort in the body."""

    @property
    @abstractmethod
    def turns(self) -> Sequence[Message]:
        """The earlier turns."""

    @property
    @abstractmethod
    def known_tools(self) -> Sequence[Tool]:
        """`tools`, in the format of chats."""

    @property
    @abstractmethod
    def choice(self) -> tuple[str | None, str | None]:
        """`tool_choice` as a word, or None; and the name of a function that must be called, or None."""

    @property
    @abstractmethod
    def effort(self) -> ReasoningEffort | None:
        """How long the model reasons."""

    @model_validator(mode="after")
    def _names_its_functions(self) -> "TurnsRequest":
        names = [tool.function.name for tool in self.known_tools]
        word, name = self.choice
        if (word not in (None, "none") or name is not None) and not names:
            raise ValueError("tool_choice is among tools, got it without: leave it out, or send tools")
        if len(set(names)) < len(names):
            raise ValueError(f"functions must have names of their own, got {names}")
        if name is not None and name not in names:
            raise ValueError(f"tool_choice must name one of {names}, got {name!r}")
        if self.callable_tools and self.structured_outputs is not None:
            raise ValueError(
                "structured_outputs are of answers that call nothing, got them with tools: leave one out, set"
                f" tool_choice='none', or write {self.form_param}"
            )
        return self

    @property
    def callable_tools(self) -> Sequence[Tool]:
        """The tools that the answer may call."""
        return () if self.choice[0] == "none" else self.known_tools

    @property
    def calls(self) -> Calls | None:
        """The functions that the answer may call; None for none."""
        tools = self.callable_tools
        if not tools:
            return None
        word, name = self.choice
        functions = {index: tool.function for index, tool in enumerate(tools) if name in (None, tool.function.name)}
        return Calls(
            functions, word == "required" or name is not None, name is not None or not self.parallel_tool_calls
        )

    @property
    def may_call_again(self) -> bool:
        """See `TextRequest`."""
        return self.parallel_tool_calls

    @property
    def reasoning_budget(self) -> int | None:
        """See `TextRequest`."""
        return self.thinking_token_budget

    @property
    def constrains(self) -> bool:
        """See `TextRequest`."""
        return super().constrains or bool(self.callable_tools) or self.thinking_token_budget is not None
