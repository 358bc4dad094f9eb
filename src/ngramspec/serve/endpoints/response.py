"""`/v1/responses`."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from ngramspec.serve.endpoints.answering import AnswerPiece
from ngramspec.serve.endpoints.chat import turns_prompt
from ngramspec.serve.endpoints.endpoint import AnswerHead, Endpoint, Writer, event
from ngramspec.serve.endpoints.prepared_request import AnswerLimit, PreparedRequest, Prompt
from ngramspec.serve.endpoints.response_items import Event
from ngramspec.serve.endpoints.response_output import Output
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.response_answers import Incomplete, ResponseAnswer, ResponseEvent, ResponseUsage, Status
from ngramspec.serve.wire.response_requests import NamedFunctionTool, ResponseRequest
from ngramspec.serve.wire.usage import Metrics, TokenCounts


class ResponseEndpoint(Endpoint[ResponseRequest]):
    """A chat, whose next turn is the response."""

    path = "/v1/responses"
    operation = "chat"
    prefix = "resp_"
    request = ResponseRequest

    def num_prompts(self, request: ResponseRequest) -> int:
        """See `Endpoint`."""
        return 1

    def prompts(self, request: ResponseRequest, served: ServedModel) -> list[Prompt]:
        """See `Endpoint`."""
        return [turns_prompt(request, served)]

    def limit(self, request: ResponseRequest) -> AnswerLimit:
        """See `Endpoint`."""
        return AnswerLimit(request.max_output_tokens, "max_output_tokens", "input")

    def num_top(self, request: ResponseRequest) -> int | None:
        """See `Endpoint`."""
        return (request.top_logprobs or 0) if request.include else None

    def writer(self, head: AnswerHead, request: ResponseRequest, prepared: PreparedRequest) -> "ResponseWriter":
        """See `Endpoint`."""
        return ResponseWriter(head, request)


class ResponseWriter(Writer):
    """Writes reasoning, messages and calls, in the order in which the model wrote them."""

    def __init__(self, head: AnswerHead, request: ResponseRequest) -> None:
        self._head, self._request = head, request
        self._numbers = count()
        self._output = Output()
        self._status: Status = "in_progress"

    def whole(self, pieces: Sequence[Sequence[AnswerPiece]], counts: TokenCounts) -> str:
        """See `Writer`."""
        for _ in self._read(pieces[0]):  # the events are not sent
            pass
        return self._response(counts).model_dump_json()

    def opening(self) -> Iterable[str]:
        """See `Writer`."""
        response = self._response(None)
        yield self._event("created", response=response)
        yield self._event("in_progress", response=response)

    def events(self, piece: AnswerPiece) -> Iterable[str]:
        """See `Writer`."""
        for kind, fields in self._read([piece]):
            yield self._event(kind, **fields)

    def closing(self, counts: TokenCounts) -> Iterable[str]:
        """See `Writer`."""
        yield self._event(self._status, response=self._response(counts))

    def failure(self, error: ApiError) -> str:
        """See `Writer`."""
        return event(ResponseEvent.of_error(error, next(self._numbers)).model_dump_json(exclude_unset=True), "error")

    def _read(self, pieces: Iterable[AnswerPiece]) -> Iterable[Event]:
        for piece in pieces:
            yield from self._output.read(piece)
            if piece.finish is not None:
                self._status = "incomplete" if piece.finish == "length" else "completed"
                yield from self._output.finish(self._status)

    def _event(self, kind: str, **fields: Any) -> str:
        sent = ResponseEvent(type=f"response.{kind}", sequence_number=next(self._numbers), **fields)
        return event(sent.model_dump_json(exclude=_unset(sent)), sent.type)

    def _response(self, counts: TokenCounts | None) -> ResponseAnswer:
        request, status = self._request, self._status
        return ResponseAnswer(
            id=self._head.id,
            created_at=self._head.created,
            status=status,
            incomplete_details=Incomplete() if status == "incomplete" else None,
            instructions=request.instructions,
            max_output_tokens=request.max_output_tokens,
            model=self._head.model,
            output=self._output.models(),
            parallel_tool_calls=request.parallel_tool_calls,
            reasoning={"effort": request.effort, "summary": None},
            temperature=request.temperature,
            text=_text_of(request),
            tool_choice=_choice_of(request),
            tools=[tool.model_dump() for tool in request.tools or ()],
            top_p=request.top_p,
            usage=None if counts is None else ResponseUsage.of(counts),
            metadata=request.metadata or {},
            metrics=None if counts is None else Metrics.of(counts),
        )


def _text_of(request: ResponseRequest) -> dict[str, Any]:
    """`text` of the request, as the response repeats it."""
    text_format = None if request.text is None else request.text.format
    if text_format is None:
        return {"format": {"type": "text"}}
    return {"format": text_format.model_dump(by_alias=True, exclude_none=True)}


def _choice_of(request: ResponseRequest) -> str | dict[str, Any]:
    """`tool_choice` of the request, as the response repeats it."""
    chosen = request.tool_choice
    return chosen.model_dump() if isinstance(chosen, NamedFunctionTool) else chosen or "auto"


def _unset(sent: ResponseEvent) -> set[str]:
    """Fields that an event does not have; those of its parts are all sent."""
    return set(ResponseEvent.model_fields) - sent.model_fields_set
