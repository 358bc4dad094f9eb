"""`/v1/chat/completions`."""

import uuid
from collections.abc import Iterable, Sequence

from ngramspec.serve.endpoints.answer_so_far import text_in
from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.chunks import ChunkWriter
from ngramspec.serve.endpoints.endpoint import AnswerHead, Endpoint
from ngramspec.serve.endpoints.prepared_request import AnswerLimit, PreparedRequest, Prompt
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.text.chats import chat_prompt
from ngramspec.serve.text.parts import CallArguments, CallBegun, Content, Part, Reasoning
from ngramspec.serve.wire.answers import (
    AnswerToolCall,
    CalledFunction,
    ChatAnswer,
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatDelta,
    ChatMessage,
)
from ngramspec.serve.wire.chat_requests import ChatRequest
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.logprobs import ChatLogprobs
from ngramspec.serve.wire.turns import TurnsRequest


class ChatEndpoint(Endpoint[ChatRequest]):
    """A chat, whose next turn the model writes."""

    path = "/v1/chat/completions"
    operation = "chat"
    prefix = "chatcmpl-"
    request = ChatRequest

    def num_prompts(self, request: ChatRequest) -> int:
        """See `Endpoint`."""
        return 1

    def prompts(self, request: ChatRequest, served: ServedModel) -> list[Prompt]:
        """See `Endpoint`."""
        return [turns_prompt(request, served)]

    def limit(self, request: ChatRequest) -> AnswerLimit:
        """See `Endpoint`."""
        if request.max_completion_tokens is not None:
            return AnswerLimit(request.max_completion_tokens, "max_completion_tokens", "messages")
        return AnswerLimit(request.max_tokens, "max_tokens", "messages")

    def num_top(self, request: ChatRequest) -> int | None:
        """See `Endpoint`."""
        return (request.top_logprobs or 0) if request.logprobs else None

    def writer(self, head: AnswerHead, request: ChatRequest, prepared: PreparedRequest) -> "ChatWriter":
        """See `Endpoint`."""
        return ChatWriter(head, prepared)


class ChatWriter(ChunkWriter):
    """Turns of a chat."""

    def answer(self, pieces: Sequence[Sequence[AnswerPiece]]) -> ChatAnswer:
        """See `ChunkWriter`."""
        choices = []
        for index, own in enumerate(pieces):
            last = own[-1]
            assert last.finish is not None
            logprobs = ChatLogprobs(content=[each for piece in own for each in piece.logprobs])
            choices.append(
                ChatChoice(
                    index=index,
                    message=_message([part for piece in own for part in piece.parts]),
                    logprobs=None if self.prepared.num_top is None else logprobs,
                    finish_reason=last.finish,
                    stop_reason=last.stop,
                )
            )
        head = self.head
        return ChatAnswer(id=head.id, created=head.created, model=head.model, object="chat.completion", choices=choices)

    def first(self) -> Iterable[ChatChunk]:
        """See `ChunkWriter`."""
        for index in range(self.prepared.num_answers):
            delta = ChatDelta(role="assistant", content="")
            yield self.chunk(ChatChunkChoice(index=index, delta=delta, logprobs=None, finish_reason=None))

    def chunks(self, piece: AnswerPiece) -> Iterable[ChatChunk]:
        """See `ChunkWriter`."""
        logprobs = ChatLogprobs(content=piece.logprobs) if piece.logprobs else None
        deltas = [self._delta(piece.index, part) for part in piece.parts]
        for delta in deltas or ([ChatDelta(content="")] if piece.logprobs else []):
            yield self.chunk(ChatChunkChoice(index=piece.index, delta=delta, logprobs=logprobs, finish_reason=None))
            logprobs = None  # they cover all tokens of the piece: sent once
        if piece.finish is not None:
            yield self.chunk(
                ChatChunkChoice(
                    index=piece.index,
                    delta=ChatDelta(),
                    logprobs=None,
                    finish_reason=piece.finish,
                    stop_reason=piece.stop,
                )
            )

    def _delta(self, index: int, part: Part) -> ChatDelta:
        match part:
            case Reasoning():
                return ChatDelta(reasoning_content=part.text)
            case Content():
                return ChatDelta(content=part.text)
            case CallBegun():
                function = CalledFunction(name=part.name, arguments="")
                return ChatDelta(
                    tool_calls=[AnswerToolCall(index=part.index, id=call_id(), type="function", function=function)]
                )
            case CallArguments():
                function = CalledFunction(arguments=part.text)
                return ChatDelta(tool_calls=[AnswerToolCall(index=part.index, function=function)])

    def chunk(self, *choices: ChatChunkChoice) -> ChatChunk:
        """See `ChunkWriter`."""
        head = self.head
        return ChatChunk(
            id=head.id, created=head.created, model=head.model, object="chat.completion.chunk", choices=list(choices)
        )


def call_id() -> str:
    """Nine letters and digits: Mistral's templates require that, and other models' take anything."""
    return uuid.uuid4().hex[:9]


def turns_prompt(request: TurnsRequest, served: ServedModel) -> Prompt:
    """The prompt of the next turn, made by the chat template. Raises ApiError."""
    options = request.chat_template_kwargs
    chat = chat_prompt(
        request.turns,
        served.tokenizer,
        served.settings.chat_template,
        tools=request.callable_tools,
        switches={} if options is None else options.given,
        effort=request.effort,
        effort_param=request.effort_param,
    )
    if request.reasoning_budget is not None and not chat.may_reason:
        raise invalid(
            "thinking_token_budget is for models whose chat template knows reasoning, got another: leave it out",
            param="thinking_token_budget",
        )
    # The template writes special tokens itself.
    return Prompt(served.tokenizer(chat.text, add_special_tokens=False).input_ids, chat=chat)


def _message(parts: Sequence[Part]) -> ChatMessage:
    reasoning = "".join(part.text for part in parts if isinstance(part, Reasoning))
    begun = [part for part in parts if isinstance(part, CallBegun)]
    text = text_in(parts)
    message = ChatMessage(role="assistant", content=text if text or not begun else None, refusal=None)
    if reasoning:
        message.reasoning_content = reasoning
    if begun:
        message.tool_calls = [_call(call, parts) for call in begun]
    return message


def _call(call: CallBegun, parts: Sequence[Part]) -> AnswerToolCall:
    arguments = "".join(part.text for part in parts if isinstance(part, CallArguments) and part.index == call.index)
    return AnswerToolCall(id=call_id(), type="function", function=CalledFunction(name=call.name, arguments=arguments))
