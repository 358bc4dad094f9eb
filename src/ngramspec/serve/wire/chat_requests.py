"""Requests of `/v1/chat/completions`."""

from collections.abc import Sequence

from pydantic import Field, model_validator

from ngramspec.serve.wire.base import Many, Some
from ngramspec.serve.wire.requests import MOST_TOP_LOGPROBS
from ngramspec.serve.wire.tools import NamedTool, ReasoningEffort, Tool, ToolChoice
from ngramspec.serve.wire.turns import Message, TurnsRequest


class ChatRequest(TurnsRequest):
    """`/v1/chat/completions`."""

    messages: Many[Message] = Field(min_length=1)
    tools: Some[Tool] | None = Field(default=None, min_length=1)
    tool_choice: ToolChoice | None = None
    reasoning_effort: ReasoningEffort | None = None
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

    @property
    def turns(self) -> Sequence[Message]:
        """See `TurnsRequest`."""
        return self.messages

    @property
    def known_tools(self) -> Sequence[Tool]:
        """See `TurnsRequest`."""
        return self.tools or ()

    @property
    def choice(self) -> tuple[str | None, str | None]:
        """See `TurnsRequest`."""
        chosen = self.tool_choice
        return (None, chosen.function.name) if isinstance(chosen, NamedTool) else (chosen, None)

    @property
    def effort(self) -> ReasoningEffort | None:
        """See `TurnsRequest`."""
        return self.reasoning_effort
