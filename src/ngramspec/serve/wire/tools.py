"""Functions that a model may call: their definitions in a request, and the calls of earlier turns."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ngramspec.errors import shortened
from ngramspec.serve.wire.base import Wire

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
"""Name of a function."""

CallId = Annotated[str, Field(min_length=1, max_length=200)]
"""Id of a call, which its result refers to."""


class FunctionSpec(Wire):
    """A function. parameters: the schema of its arguments, which is enforced whether `strict` is set or not."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Wire):
    """One of `tools`."""

    type: Literal["function"]
    function: FunctionSpec


class NamedFunction(Wire):
    """The name of a function."""

    name: Name


class NamedTool(Wire):
    """A `tool_choice` that names the function."""

    type: Literal["function"]
    function: NamedFunction


class FunctionCall(Wire):
    """A called function; arguments: a JSON object, as text. parsed_arguments: set by OpenAI's client, and ignored."""

    name: Name
    arguments: str
    parsed_arguments: Any = None

    @model_validator(mode="after")
    def _is_an_object(self) -> "FunctionCall":
        try:
            is_object = isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise ValueError(f"arguments must be a JSON object, got {shortened(self.arguments)}")
        return self


class ToolCall(Wire):
    """A call of an earlier turn. index: from chunks; some clients leave it in."""

    id: CallId
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None


class TemplateOptions(Wire):
    """vLLM's `chat_template_kwargs`: switches that some templates have, such as Qwen's and DeepSeek's."""

    enable_thinking: bool | None = None
    thinking: bool | None = None

    @property
    def given(self) -> dict[str, bool]:
        """The switches that are set."""
        return self.model_dump(exclude_none=True)


ToolChoice = Literal["none", "auto", "required"] | NamedTool
"""`tool_choice`."""

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
"""OpenAI's names for how long a model reasons."""
