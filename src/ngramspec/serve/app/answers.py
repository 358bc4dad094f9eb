"""A request for text, from its body to its answer."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import TypeVar

from fastapi import Request, Response

from ngramspec.serve.app.bodies import read
from ngramspec.serve.app.clients import ClientWork, EventStream, unless_gone
from ngramspec.serve.app.meters import RequestMeter
from ngramspec.serve.app.service import Service
from ngramspec.serve.app.tracing import RequestTrace
from ngramspec.serve.endpoints.answering import Answering, AnswerPiece
from ngramspec.serve.endpoints.endpoint import AnswerHead, Endpoint, Writer
from ngramspec.serve.endpoints.prepared_request import PreparedRequest
from ngramspec.serve.wire.errors import ApiError, invalid
from ngramspec.serve.wire.requests import TextRequest

SLACK = 10.0
"""Seconds in which a client may still read an answer that took all of its time."""

R = TypeVar("R", bound=TextRequest)


async def answer(service: Service, endpoint: Endpoint[R], http: Request) -> Response:
    """The answer to a request, complete or as a stream.

    Raises ApiError if the request cannot be served, ClientGone if its client has gone.
    """
    tenant = service.keys.tenant(http.headers.get("authorization"))
    served = service.served
    received_at = service.clock()
    settings = service.settings
    request, num_bytes = await read(http, endpoint.request, settings.max_body_bytes, settings.max_seconds)
    num_answers = _checked(service, endpoint, request)
    with ExitStack() as ending:
        trace = service.tracing.request(request, endpoint.operation, http.headers, received_at)
        ending.enter_context(trace)
        ending.enter_context(service.admission.of(num_answers))
        waiting = ClientWork(http.receive, ending)

        def prepare() -> PreparedRequest:
            prompts = endpoint.prompts(request, served)
            return PreparedRequest(request, prompts, endpoint.limit(request), endpoint.num_top(request), served, tenant)

        prepared = await waiting.done_on(service.preparing(num_bytes), prepare)
        guard = await waiting.done_on(service.compiling, prepared.make_guard) if request.constrains else None
        meter = RequestMeter(service.meters, received_at, prepared.num_prompt_tokens)
        answering = Answering(prepared, guard, received_at + settings.max_seconds, meter, trace)
        ending.callback(_drop, service, answering)
        service.engine.submit(answering.jobs)
        await unless_gone(http.receive, answering.joined())
        head = AnswerHead(f"{endpoint.prefix}{uuid.uuid4().hex}", int(time.time()), settings.name)
        writer = endpoint.writer(head, request, prepared)
        if request.stream:
            events = _events(service, writer, answering, trace)
            return EventStream(events, ending.pop_all(), settings.max_seconds + SLACK)
        whole = await unless_gone(http.receive, _whole(service, writer, answering, trace))
        return Response(whole, media_type="application/json")


def _checked(service: Service, endpoint: Endpoint[R], request: R) -> int:
    """The number of requested answers; raises ApiError for another model, and for too many answers."""
    settings = service.settings
    if request.model != settings.name:
        raise ApiError(
            404,
            f"model must be {settings.name!r}, got {request.model[:100]!r}",
            param="model",
            code="model_not_found",
        )
    num_answers = endpoint.num_prompts(request) * request.n
    most = min(settings.max_choices, service.admission.most)
    if num_answers > most:
        raise invalid(
            f"a request may ask for at most {most} answers, got {num_answers}: lower n, or ask for less at a time",
            param="n",
        )
    return num_answers


def _drop(service: Service, answering: Answering) -> None:
    if not answering.is_over:
        service.engine.drop(answering.jobs)


async def _whole(service: Service, writer: Writer, answering: Answering, trace: RequestTrace) -> str:
    pieces: list[list[AnswerPiece]] = [[] for _ in answering.jobs]
    async for piece in answering.pieces():
        pieces[piece.index].append(piece)
    counts = answering.counts(service.most_drafted)
    trace.completed(counts)
    return writer.whole(pieces, counts)


async def _events(service: Service, writer: Writer, answering: Answering, trace: RequestTrace) -> AsyncIterator[str]:
    """The events of a stream. An error after the first tokens is the last event."""
    try:
        for event in writer.opening():
            yield event
        async for piece in answering.pieces():
            for event in writer.events(piece):
                yield event
        counts = answering.counts(service.most_drafted)
        trace.completed(counts)
        for event in writer.closing(counts):
            yield event
    except ApiError as error:
        trace.failed(error)
        yield writer.failure(error)
