"""Requests of `/v1/chat/completions`: turns, tools, reasoning."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ngramspec.serve.wire.base import Few, Many, Some, Wire
from ngramspec.serve.wire.requests import MOST_TOP_LOGPROBS, TextPart, TextRequest
from ngramspec.serve.wire.tools import NamedTool, ReasoningEffort, TemplateOptions, Tool, ToolCall, ToolChoice


class Message(Wire):
    """One turn of a chat.

    An answer may come back as it was told, or as OpenAI's client makes it: what is not of the turn is not read.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Many[TextPart] | None = None
    name: str | None = None
    tool_calls: Some[ToolCall] | None = None
    tool_call_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
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


class ChatRequest(TextRequest):
    """`/v1/chat/completions`.

    thinking_token_budget: vLLM's, the most tokens of reasoning. chat_template_kwargs: vLLM's too.
    """

    messages: Many[Message] = Field(min_length=1)
    tools: Some[Tool] | None = Field(default=None, min_length=1)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool = True
    reasoning_effort: ReasoningEffort | None = None
    thinking_token_budget: int | None = Field(default=None, ge=0)
    chat_template_kwargs: TemplateOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)

    @model_validator(mode="after")
    def _lists_what_it_asks_for(self) -> "ChatRequest":
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs are for logprobs=true, got them without: set logprobs, or leave them out")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_completion_tokens replaces max_tokens, got both: leave max_tokens out")
        return self

    @model_validator(mode="after")
    def _names_its_functions(self) -> "ChatRequest":
        names = [tool.function.name for tool in self.tools or ()]
        if self.tool_choice not in (None, "none") and not names:
            raise ValueError("tool_choice is among tools, got it without: leave it out, or send tools")
        if len(set(names)) < len(names):
            raise ValueError(f"functions must have names of their own, got {names}")
        chosen = self.tool_choice
        if isinstance(chosen, NamedTool) and chosen.function.name not in names:
            raise ValueError(f"tool_choice must name one of {names}, got {chosen.function.name!r}")
        if self.callable_tools and (self.structured_outputs is not None or self._demands_form):
            raise ValueError(
                "an answer calls functions or has a form of its own, got tools with a form: leave one out, or set"
                " tool_choice='none'"
            )
        return self

    @property
    def reasoning_budget(self) -> int | None:
        """See `TextRequest`."""
        return self.thinking_token_budget

    @property
    def may_call_again(self) -> bool:
        """See `TextRequest`."""
        return self.parallel_tool_calls

    @property
    def callable_tools(self) -> list[Tool]:
        """The tools that the answer may call."""
        return [] if self.tool_choice == "none" else list(self.tools or ())

    @property
    def constrains(self) -> bool:
        """See `TextRequest`."""
        return super().constrains or bool(self.callable_tools) or self.thinking_token_budget is not None
