"""The application: routes, and errors in OpenAI's shape."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from ngramspec import __version__
from ngramspec.serve.app.answers import answer
from ngramspec.serve.app.clients import ClientGone
from ngramspec.serve.app.document import describe
from ngramspec.serve.app.meters import CONTENT_TYPE
from ngramspec.serve.app.page import page
from ngramspec.serve.app.service import Service
from ngramspec.serve.app.sites import Sites
from ngramspec.serve.endpoints.chat import ChatEndpoint
from ngramspec.serve.endpoints.completion import CompletionEndpoint
from ngramspec.serve.endpoints.endpoint import Endpoint
from ngramspec.serve.endpoints.response import ResponseEndpoint
from ngramspec.serve.wire.answers import ModelCard, ModelList
from ngramspec.serve.wire.errors import ApiError, failed

CLIENT_GONE = 499
"""nginx's status for a request whose client has gone; only logs show it."""


def application(service: Service) -> FastAPI:
    """The service over HTTP. Its lifespan is the service's: the model starts to load when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()

    # FastAPI's docs pages load scripts from other hosts, so they are off: no request leaves the machine.
    app = FastAPI(title="ngramspec", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    origins = service.settings.allow_origins
    app.add_middleware(Sites, allow_origins=origins, is_local=service.settings.is_local)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(ClientGone, _answer_gone_client)
    app.add_exception_handler(Exception, _answer_defect)
    endpoints: list[Endpoint[Any]] = [ChatEndpoint(), CompletionEndpoint(), ResponseEndpoint()]
    for endpoint in endpoints:
        app.add_api_route(endpoint.path, _handler(service, endpoint), methods=["POST"], name=endpoint.path)
    _add_facts(app, service)
    describe(app, endpoints)
    return app


def _handler(service: Service, endpoint: Endpoint[Any]) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        return await answer(service, endpoint, request)

    return ask


def _add_facts(app: FastAPI, service: Service) -> None:
    """Routes that decode nothing."""

    def card() -> ModelCard:
        served = service.served
        return ModelCard(
            id=service.settings.name, created=service.created, owned_by="ngramspec", max_model_len=served.num_positions
        )

    @app.get("/v1/models")
    async def models(request: Request) -> ModelList:
        service.keys.tenant(request.headers.get("authorization"))
        return ModelList(data=[card()])

    @app.get("/v1/models/{model:path}")
    async def model(request: Request, model: str) -> ModelCard:
        service.keys.tenant(request.headers.get("authorization"))
        found = card()
        if model != found.id:
            raise ApiError(
                404, f"model must be {found.id!r}, got {model[:100]!r}", param="model", code="model_not_found"
            )
        return found

    @app.get("/health")
    async def health() -> dict[str, str]:
        if not service.is_alive:
            raise failed("the engine has ended", code="dead")
        return {"status": "ok"}

    @app.get("/", include_in_schema=False)
    async def first_page() -> Response:
        text, headers = page()
        return HTMLResponse(text, headers=headers)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        service.keys.check_operator(request.headers.get("authorization"))
        return Response(service.meters.text(), media_type=CONTENT_TYPE)


async def _answer_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """A route or method that does not exist."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"][:200]  # request.url contains the Host header, which may be anything
    message = f"{request.method} {path} is not a route of this service: {error.detail}"
    api_error = ApiError(error.status_code, message, code="not_found", headers=error.headers)
    return JSONResponse(api_error.body(), api_error.status, api_error.headers)


async def _answer_gone_client(_: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _answer_defect(_: Request, error: Exception) -> Response:
    """A defect of this service, which the server logs."""
    return JSONResponse(failed("the service has failed").body(), 500)
