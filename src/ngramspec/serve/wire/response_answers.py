"""Answers of `/v1/responses`, and their events."""

from typing import Any, Literal

from pydantic import BaseModel

from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.logprobs import TokenLogprob
from ngramspec.serve.wire.usage import Metrics, PromptTokensDetails, TokenCounts

Status = Literal["in_progress", "completed", "incomplete"]


class OutputText(BaseModel):
    """The text of a message."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any]
    logprobs: list[TokenLogprob]


class OutputMessage(BaseModel):
    """The turn that the model wrote."""

    type: Literal["message"] = "message"
    id: str
    status: Status
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class ReasoningText(BaseModel):
    """The text of the model's reasoning."""

    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class OutputReasoning(BaseModel):
    """The reasoning before the message. summary: always empty; none is made here."""

    type: Literal["reasoning"] = "reasoning"
    id: str
    summary: list[Any]
    content: list[ReasoningText]
    status: Status


class OutputCall(BaseModel):
    """A function call. id: of the item; call_id: what the result refers to."""

    type: Literal["function_call"] = "function_call"
    id: str
    call_id: str
    name: str
    arguments: str
    status: Status


OutputItem = OutputReasoning | OutputMessage | OutputCall
"""An item of the output."""


class OutputTokensDetails(BaseModel):
    """The answer's tokens, by kind of text."""

    reasoning_tokens: int


class ResponseUsage(BaseModel):
    """Tokens read and written, in the fields of responses."""

    input_tokens: int
    input_tokens_details: PromptTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int

    @classmethod
    def of(cls, counts: TokenCounts) -> "ResponseUsage":
        """`counts` in these fields."""
        return cls(
            input_tokens=counts.num_prompt,
            input_tokens_details=PromptTokensDetails(cached_tokens=counts.num_shared),
            output_tokens=counts.num_written,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=counts.num_reasoning),
            total_tokens=counts.num_prompt + counts.num_written,
        )


class Incomplete(BaseModel):
    """Why a response is not complete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class ResponseAnswer(BaseModel):
    """A response, complete or in progress. It repeats fields of the request as they came."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status
    error: None = None
    incomplete_details: Incomplete | None
    instructions: str | None
    max_output_tokens: int | None
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: None = None
    reasoning: dict[str, str | None]
    store: Literal[False] = False
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[Any]
    top_p: float | None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None
    metadata: dict[str, str]
    metrics: Metrics | None


class ResponseEvent(BaseModel):
    """An event of a stream. Its fields depend on its type; those that were not set are left out."""

    type: str
    sequence_number: int
    response: ResponseAnswer | None = None
    output_index: int | None = None
    content_index: int | None = None
    item_id: str | None = None
    item: OutputItem | None = None
    part: ReasoningText | OutputText | None = None
    delta: str | None = None
    text: str | None = None
    name: str | None = None
    arguments: str | None = None
    logprobs: list[TokenLogprob] | None = None
    message: str | None = None
    code: str | None = None
    param: str | None = None

    @classmethod
    def of_error(cls, error: ApiError, number: int) -> "ResponseEvent":
        """The last event of a stream, which reports `error`."""
        return cls(
            type="error", sequence_number=number, message=str(error), code=error.code or error.kind, param=error.param
        )
