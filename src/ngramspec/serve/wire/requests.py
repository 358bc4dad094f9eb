"""Requests for text: their common fields, and completions."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ngramspec.serve.wire.base import Few, FewNamed, Many, ManyNamed, TokenIds, Wire
from ngramspec.serve.wire.structure import ResponseFormat, StructuredOutputs, refuse_replaced

LEAST_TEMPERATURE = 1e-6
"""Below this, float32 scores may overflow; 0 is greedy."""

LEAST_REPETITION_PENALTY = 0.01
"""Scores are divided by the penalty: a smaller one makes float32 scores infinite, and then nothing can be drawn."""

MOST_TOP_LOGPROBS = 20

StopString = Annotated[str, Field(min_length=1, max_length=1000)]


class StreamOptions(Wire):
    """How an answer is streamed.

    include_usage: a last chunk has the counts. continuous_usage_stats: the others have the counts so far, as in vLLM.
    include_drafts: chunks say which tokens were drafted.
    """

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_drafts: bool = False


class TextPart(Wire):
    """A part of a message; only text is read."""

    type: Literal["text"]
    text: str


class Prediction(Wire):
    """OpenAI's predicted output: text that the answer may largely repeat. Used for drafts; the model never reads it."""

    type: Literal["content"]
    content: str | Many[TextPart]


class TextRequest(Wire):
    """The common fields of completions and chats.

    user, safety_identifier, prompt_cache_key, store, service_tier: accepted as by OpenAI, without effect.
    metadata: its `segment` names the segment, whose answers are drafted from each other.
    cache_salt: restricts further, within the tenant of its key, what the request shares with others.
    speculate: False decodes without drafts. The other fields are OpenAI's, or vLLM's if OpenAI has none.
    """

    model: str
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    presence_penalty: float = Field(default=0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, ge=LEAST_REPETITION_PENALTY, le=100)
    logit_bias: ManyNamed[Annotated[float, Field(ge=-100, le=100)]] | None = None
    stop: StopString | Few[StopString] | None = None
    n: int = Field(default=1, ge=1, le=4096)
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
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None

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
    """Locations of the form of the text and of its schema in the body."""

    @property
    def form(self) -> ResponseFormat | None:
        """The form of the text, as OpenAI's `response_format`."""
        return self.response_format

    @property
    def constrains(self) -> bool:
        """Whether the text, or a part of it, must have a form."""
        return self.structured_outputs is not None or self._demands_form

    @property
    def _demands_form(self) -> bool:
        return self.form is not None and self.form.type != "text"

    @property
    def reasoning_budget(self) -> int | None:
        """The bound on tokens of reasoning; None for no bound."""
        return None

    @property
    def may_call_again(self) -> bool:
        """Whether an answer may go on after a function call."""
        return True

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def segment(self) -> str | None:
        """The name of the segment."""
        return None if self.metadata is None else self.metadata.get("segment")

    @property
    def includes_usage(self) -> bool:
        """Whether the last chunk of a stream has the counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def counts_on(self) -> bool:
        """Whether each chunk of a stream has the counts so far."""
        return self.includes_usage and self.stream_options is not None and self.stream_options.continuous_usage_stats

    @property
    def includes_drafts(self) -> bool:
        """Whether the chunks of a stream say which tokens were drafted."""
        return self.stream_options is not None and self.stream_options.include_drafts


class CompletionRequest(TextRequest):
    """`/v1/completions`. suffix: the answer fills the hole between the prompt and it."""

    prompt: str | Many[str] | TokenIds | Many[TokenIds] = Field(union_mode="left_to_right")
    suffix: str | None = None
    max_tokens: int = Field(default=16, ge=1)
    logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    echo: bool = False

    @model_validator(mode="after")
    def _has_prompts(self) -> "CompletionRequest":
        if self.suffix is not None and not isinstance(self.prompt, str):
            raise ValueError("suffix goes with one prompt as text, got a list: ask for one hole at a time")
        if not self.prompt and self.suffix is None:  # a hole may be at the beginning of a file
            raise ValueError("prompt must hold at least one token, got none: write something")
        if self.echo and (self.logprobs is not None or self.suffix is not None):
            raise ValueError("echo repeats the prompt as text, got it with logprobs or suffix: leave echo out")
        return self

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """The prompts, each as a text or as token ids."""
        given: Any = self.prompt
        return given if isinstance(given, list) and not isinstance(given[0], int) else [given]
