"""`/v1/responses`."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from ngramspec.serve.asking.answering import Piece
from ngramspec.serve.asking.chat import chat_tokens
from ngramspec.serve.asking.endpoint import Endpoint, Head, Writer, event, joined_text
from ngramspec.serve.asking.prepared import Limit, Prepared, Prompt
from ngramspec.serve.asking.served import Served
from ngramspec.serve.text.chats import chat_prompt
from ngramspec.serve.text.parts import Reasoning
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.response_answers import (
    Incomplete,
    OutputMessage,
    OutputReasoning,
    OutputText,
    ReasoningText,
    ResponseAnswer,
    ResponseEvent,
    ResponseUsage,
    Status,
)
from ngramspec.serve.wire.response_requests import ResponseRequest
from ngramspec.serve.wire.usage import Counts, Metrics


class ResponseEndpoint(Endpoint[ResponseRequest]):
    """A chat, whose next turn is a response."""

    path = "/v1/responses"
    operation = "chat"
    prefix = "resp_"
    request = ResponseRequest

    def num_prompts(self, request: ResponseRequest) -> int:
        """See `Endpoint`."""
        return 1

    def prompts(self, request: ResponseRequest, served: Served) -> list[Prompt]:
        """See `Endpoint`."""
        template = served.settings.chat_template
        return [
            chat_tokens(chat_prompt(request.turns, served.tokenizer, template, must_part=request.constrains), served)
        ]

    def limit(self, request: ResponseRequest) -> Limit:
        """See `Endpoint`."""
        return Limit(request.max_output_tokens, "max_output_tokens", "input")

    def num_top(self, request: ResponseRequest) -> int | None:
        """See `Endpoint`."""
        return (request.top_logprobs or 0) if request.include else None

    def writer(self, head: Head, request: ResponseRequest, prepared: Prepared) -> "ResponseWriter":
        """See `Endpoint`."""
        return ResponseWriter(head, request)


class ResponseWriter(Writer):
    """Reasoning, if there is any, and one message. Events name each part when it begins and when it is complete."""

    def __init__(self, head: Head, request: ResponseRequest) -> None:
        self._head, self._request = head, request
        own = head.id.removeprefix(ResponseEndpoint.prefix)
        self._reasoning_id, self._message_id = f"rs_{own}", f"msg_{own}"
        self._numbers = count()
        self._pieces: list[Piece] = []
        self._has_reasoning = self._has_message = False

    def whole(self, pieces: Sequence[Sequence[Piece]], counts: Counts) -> str:
        """See `Writer`."""
        return self._response(pieces[0], counts).model_dump_json()

    def opening(self) -> Iterable[str]:
        """See `Writer`."""
        response = self._response([], None)
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)

    def events(self, piece: Piece) -> Iterable[str]:
        """See `Writer`."""
        reasoning = _reasoning_in([piece])
        if reasoning:
            if not self._has_reasoning:
                yield from self._reasoning_begun()
            yield self._event("response.reasoning_text.delta", **self._where(self._reasoning_id), delta=reasoning)
        self._pieces.append(piece)
        if piece.text or (piece.logprobs and not reasoning):
            if not self._has_message:
                yield from self._message_begun()
            where = self._where(self._message_id)
            yield self._event("response.output_text.delta", **where, delta=piece.text, logprobs=piece.logprobs)

    def closing(self, counts: Counts) -> Iterable[str]:
        """See `Writer`."""
        if not self._has_message:
            yield from self._message_begun()
        part, message = _part(self._pieces), self._message(self._pieces)
        where = self._where(self._message_id)
        yield self._event("response.output_text.done", **where, text=part.text, logprobs=part.logprobs)
        yield self._event("response.content_part.done", **where, part=part)
        yield self._event("response.output_item.done", output_index=self._message_index, item=message)
        yield self._event(f"response.{message.status}", response=self._response(self._pieces, counts))

    def failure(self, error: ApiError) -> str:
        """See `Writer`."""
        return event(ResponseEvent.of_error(error, next(self._numbers)).model_dump_json(exclude_unset=True), "error")

    def _reasoning_begun(self) -> Iterable[str]:
        self._has_reasoning = True
        yield self._event("response.output_item.added", output_index=0, item=self._reasoning("", "in_progress"))
        part = ReasoningText(text="")
        yield self._event("response.content_part.added", **self._where(self._reasoning_id), part=part)

    def _message_begun(self) -> Iterable[str]:
        """The events before the message: those that complete the reasoning, and its own first ones."""
        if self._has_reasoning:
            text, where = _reasoning_in(self._pieces), self._where(self._reasoning_id)
            yield self._event("response.reasoning_text.done", **where, text=text)
            yield self._event("response.content_part.done", **where, part=ReasoningText(text=text))
            item = self._reasoning(text, "completed")
            yield self._event("response.output_item.done", output_index=0, item=item)
        self._has_message = True
        yield self._event("response.output_item.added", output_index=self._message_index, item=self._message([]))
        yield self._event("response.content_part.added", **self._where(self._message_id), part=_part([]))

    @property
    def _message_index(self) -> int:
        return int(self._has_reasoning)

    def _where(self, item_id: str) -> dict[str, Any]:
        index = self._message_index if item_id == self._message_id else 0
        return {"item_id": item_id, "output_index": index, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> str:
        told = ResponseEvent(type=kind, sequence_number=next(self._numbers), **fields)
        return event(told.model_dump_json(exclude=_unset(told)), kind)

    def _reasoning(self, text: str, status: Status) -> OutputReasoning:
        content = [ReasoningText(text=text)] if text else []
        return OutputReasoning(id=self._reasoning_id, summary=[], content=content, status=status)

    def _message(self, pieces: Sequence[Piece]) -> OutputMessage:
        content = [_part(pieces)] if pieces else []
        return OutputMessage(id=self._message_id, status=_status(pieces), content=content)

    def _output(self, pieces: Sequence[Piece]) -> list[OutputReasoning | OutputMessage]:
        if not pieces:
            return []
        reasoning = _reasoning_in(pieces)
        first = [self._reasoning(reasoning, "completed")] if reasoning else []
        return [*first, self._message(pieces)]

    def _response(self, pieces: Sequence[Piece], counts: Counts | None) -> ResponseAnswer:
        request, status = self._request, _status(pieces)
        return ResponseAnswer(
            id=self._head.id,
            created_at=self._head.created,
            status=status,
            incomplete_details=Incomplete() if status == "incomplete" else None,
            instructions=request.instructions,
            max_output_tokens=request.max_output_tokens,
            model=self._head.model,
            output=self._output(pieces),
            temperature=request.temperature,
            text=_text_of(request),
            tools=[],
            top_p=request.top_p,
            usage=None if counts is None else ResponseUsage.of(counts),
            metadata=request.metadata or {},
            metrics=None if counts is None else Metrics.of(counts),
        )


def _status(pieces: Sequence[Piece]) -> Status:
    if not pieces or pieces[-1].finish is None:
        return "in_progress"
    return "completed" if pieces[-1].finish == "stop" else "incomplete"


def _part(pieces: Sequence[Piece]) -> OutputText:
    logprobs = [each for piece in pieces for each in piece.logprobs]
    return OutputText(text=joined_text(pieces), annotations=[], logprobs=logprobs)


def _reasoning_in(pieces: Sequence[Piece]) -> str:
    return "".join(part.text for piece in pieces for part in piece.parts if isinstance(part, Reasoning))


def _text_of(request: ResponseRequest) -> dict[str, Any]:
    """`text` of the request, as it is told back."""
    asked = None if request.text is None else request.text.format
    if asked is None:
        return {"format": {"type": "text"}}
    return {"format": asked.model_dump(by_alias=True, exclude_none=True)}


def _unset(told: ResponseEvent) -> set[str]:
    """Fields that an event does not have; those of its parts are all told."""
    return set(ResponseEvent.model_fields) - told.model_fields_set
