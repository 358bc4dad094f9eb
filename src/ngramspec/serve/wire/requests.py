"""Requests for text: the fields of completions and chats alike, and those of each."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ngramspec.serve.wire.base import Few, FewNamed, Many, ManyNamed, Some, TokenIds, Wire
from ngramspec.serve.wire.structure import ResponseFormat, StructuredOutputs, refuse_replaced
from ngramspec.serve.wire.tools import NamedTool, ReasoningEffort, TemplateOptions, Tool, ToolCall, ToolChoice

LEAST_TEMPERATURE = 1e-6
"""Below it float32 scores may overflow; 0 is greedy."""

MOST_TOP_LOGPROBS = 20

StopString = Annotated[str, Field(min_length=1, max_length=1000)]


class StreamOptions(Wire):
    """How an answer is streamed.

    include_usage: a last chunk has the counts. include_drafts: chunks say which tokens were drafted.
    """

    include_usage: bool = False
    include_drafts: bool = False


class TextPart(Wire):
    """A part of a message; only text is read."""

    type: Literal["text"]
    text: str


class Prediction(Wire):
    """OpenAI's predicted output: a text that much of the answer may repeat. It is drafted from, and never read."""

    type: Literal["content"]
    content: str | Many[TextPart]


class TextRequest(Wire):
    """What completions and chats have in common.

    user, safety_identifier, prompt_cache_key: taken as OpenAI takes them; they change nothing here.
    metadata: its `segment` names the kind of traffic, whose answers are drafted from each other.
    cache_salt: narrows what the request shares with others; below the tenant of its key.
    speculate: False decodes without drafts. The other fields are OpenAI's, and vLLM's where OpenAI has none.
    """

    model: str
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    presence_penalty: float = Field(default=0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, gt=0, le=100)
    logit_bias: ManyNamed[Annotated[float, Field(ge=-100, le=100)]] | None = None
    stop: StopString | Few[StopString] | None = None
    n: int = Field(default=1, ge=1)
    ignore_eos: bool = False
    stream: bool = False
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    prediction: Prediction | None = None
    metadata: FewNamed[Annotated[str, Field(max_length=512)]] | None = None
    cache_salt: str | None = Field(default=None, min_length=1, max_length=512)
    speculate: bool = True
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_replaced(cls, body: Any) -> Any:
        return refuse_replaced(body)

    @field_validator("temperature")
    @classmethod
    def _is_not_tiny(cls, temperature: float | None) -> float | None:
        if temperature is not None and 0 < temperature < LEAST_TEMPERATURE:
            raise ValueError(f"temperature must be 0, or from {LEAST_TEMPERATURE} on, got {temperature}: 0 is greedy")
        return temperature

    @model_validator(mode="after")
    def _fits_together(self) -> "TextRequest":
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options are for stream=true, got them without: leave them out")
        if self.constrains and self.ignore_eos:
            raise ValueError(
                "a text that must have a form ends with it, got ignore_eos=true with it: leave one of them out"
            )
        if self.structured_outputs is not None and self.form is not None:
            raise ValueError(f"one form of the text at a time, got {self.form_param} and structured_outputs")
        return self

    form_param: ClassVar[str] = "response_format"
    schema_param: ClassVar[str] = "response_format.json_schema.schema"
    """Where the form of the text and its schema stand in the body."""

    @property
    def form(self) -> ResponseFormat | None:
        """The form of the text, in OpenAI's words."""
        return self.response_format

    @property
    def constrains(self) -> bool:
        """Whether the text must have a form, or parts of it."""
        return self.structured_outputs is not None or self._demands_form

    @property
    def _demands_form(self) -> bool:
        return self.form is not None and self.form.type != "text"

    @property
    def reasoning_budget(self) -> int | None:
        """The most tokens of reasoning; None for no bound."""
        return None

    @property
    def may_call_again(self) -> bool:
        """Whether an answer may go on after a call of a function."""
        return True

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def segment(self) -> str | None:
        """The kind of traffic."""
        return None if self.metadata is None else self.metadata.get("segment")

    @property
    def includes_usage(self) -> bool:
        """Whether the last chunk of a stream has the counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def includes_drafts(self) -> bool:
        """Whether the chunks of a stream say what was drafted."""
        return self.stream_options is not None and self.stream_options.include_drafts


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


class CompletionRequest(TextRequest):
    """`/v1/completions`. suffix: fills the hole between the prompt and it."""

    prompt: str | Many[str] | TokenIds | Many[TokenIds] = Field(union_mode="left_to_right")
    suffix: str | None = None
    max_tokens: int = Field(default=16, ge=1)
    logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    echo: bool = False

    @model_validator(mode="after")
    def _has_prompts(self) -> "CompletionRequest":
        if not self.prompt:
            raise ValueError("prompt must hold at least one token, got none: write something")
        if self.suffix is not None and not isinstance(self.prompt, str):
            raise ValueError("suffix goes with one prompt as text, got a list: ask for one hole at a time")
        if self.echo and (self.logprobs is not None or self.suffix is not None):
            raise ValueError("echo repeats the prompt as text, got it with logprobs or suffix: leave echo out")
        return self

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """Each prompt, as a text or as token ids."""
        given: Any = self.prompt
        return given if isinstance(given, list) and not isinstance(given[0], int) else [given]
