"""Answers, complete and in chunks. A field that was not set is left out; None is set where OpenAI sends null."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from ngramspec.serve.wire.drafts import Pass
from ngramspec.serve.wire.logprobs import ChatLogprobs, CompletionLogprobs
from ngramspec.serve.wire.usage import Metrics, Usage

FinishReason = Literal["stop", "length", "tool_calls"]


class Answer(BaseModel):
    """Fields of all answers and chunks, in OpenAI's order. created: in Unix seconds. passes: of the model."""

    id: str
    object: Any
    created: int
    model: str
    choices: Any
    usage: Usage | None = None
    metrics: Metrics | None = None
    passes: list[Pass] | None = None

    def json_text(self) -> str:
        """The JSON that is sent."""
        return self.model_dump_json(exclude_unset=True)


class CalledFunction(BaseModel):
    """A called function, or what a chunk adds to its arguments."""

    name: str | None = None
    arguments: str


class AnswerToolCall(BaseModel):
    """A call, or what a chunk adds to one; then `index` says to which."""

    index: int | None = None
    id: str | None = None
    type: Literal["function"] | None = None
    function: CalledFunction


class ChatMessage(BaseModel):
    """The turn that the model wrote. reasoning_content: its reasoning before that, if any."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | None = None
    tool_calls: list[AnswerToolCall] | None = None


class ChatChoice(BaseModel):
    """One of the answers to a chat. stop_reason: the stop string that ended it, as in vLLM."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason
    stop_reason: str | None


class ChatAnswer(Answer):
    """A complete answer of `/v1/chat/completions`."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class ChatDelta(BaseModel):
    """What a chunk adds to a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[AnswerToolCall] | None = None


class ChatChunkChoice(BaseModel):
    """What a chunk adds to one of the answers."""

    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None
    stop_reason: str | None = None


class ChatChunk(Answer):
    """A chunk of `/v1/chat/completions`."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]


class CompletionChoice(BaseModel):
    """One of the answers to a prompt, or what a chunk adds to it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReason | None
    stop_reason: str | None = None


class CompletionAnswer(Answer):
    """An answer of `/v1/completions`, or a chunk of it."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]


class ModelCard(BaseModel):
    """A model of the service. max_model_len: the most tokens of prompt and answer together, as in vLLM."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int | None


class ModelList(BaseModel):
    """`/v1/models`."""

    object: Literal["list"] = "list"
    data: list[ModelCard] = Field(default_factory=list)
