"""`/v1/chat/completions`."""

from collections.abc import Iterable, Sequence

from ngramspec.serve.asking.answering import Piece
from ngramspec.serve.asking.chunks import ChunkWriter
from ngramspec.serve.asking.endpoint import Endpoint, Head, joined_text
from ngramspec.serve.asking.prepared import Limit, Prepared, Prompt
from ngramspec.serve.asking.served import Served
from ngramspec.serve.text.chats import prompt_of
from ngramspec.serve.wire.answers import (
    ChatAnswer,
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatDelta,
    ChatMessage,
)
from ngramspec.serve.wire.logprobs import ChatLogprobs
from ngramspec.serve.wire.requests import ChatRequest


class ChatEndpoint(Endpoint[ChatRequest]):
    """A chat, whose next turn is written."""

    path = "/v1/chat/completions"
    prefix = "chatcmpl-"
    request = ChatRequest

    def num_prompts(self, request: ChatRequest) -> int:
        """See `Endpoint`."""
        return 1

    def prompts(self, request: ChatRequest, served: Served) -> list[Prompt]:
        """See `Endpoint`."""
        text = prompt_of(request.messages, served.tokenizer, served.settings.chat_template)
        return [Prompt(served.tokenizer(text, add_special_tokens=False).input_ids)]  # a template writes its own

    def limit(self, request: ChatRequest) -> Limit:
        """See `Endpoint`."""
        if request.max_completion_tokens is not None:
            return Limit(request.max_completion_tokens, "max_completion_tokens", "messages")
        return Limit(request.max_tokens, "max_tokens", "messages")

    def num_top(self, request: ChatRequest) -> int | None:
        """See `Endpoint`."""
        return (request.top_logprobs or 0) if request.logprobs else None

    def writer(self, head: Head, request: ChatRequest, prepared: Prepared) -> "ChatWriter":
        """See `Endpoint`."""
        return ChatWriter(head, prepared)


class ChatWriter(ChunkWriter):
    """Turns of a chat."""

    def answer(self, pieces: Sequence[Sequence[Piece]]) -> ChatAnswer:
        """See `ChunkWriter`."""
        choices = []
        for index, own in enumerate(pieces):
            last = own[-1]
            assert last.finish is not None
            logprobs = ChatLogprobs(content=[each for piece in own for each in piece.logprobs])
            choices.append(
                ChatChoice(
                    index=index,
                    message=ChatMessage(role="assistant", content=joined_text(own), refusal=None),
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

    def chunks(self, piece: Piece) -> Iterable[ChatChunk]:
        """See `ChunkWriter`."""
        if piece.text or piece.logprobs:
            logprobs = ChatLogprobs(content=piece.logprobs) if piece.logprobs else None
            delta = ChatDelta(content=piece.text)
            yield self.chunk(ChatChunkChoice(index=piece.index, delta=delta, logprobs=logprobs, finish_reason=None))
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

    def chunk(self, *choices: ChatChunkChoice) -> ChatChunk:
        """See `ChunkWriter`."""
        head = self.head
        return ChatChunk(
            id=head.id, created=head.created, model=head.model, object="chat.completion.chunk", choices=list(choices)
        )
