"""The body of a request: read within its limits, and validated."""

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from ngramspec.serve.app.clients import ClientGone
from ngramspec.serve.wire.errors import ApiError, of_validation

B = TypeVar("B", bound=BaseModel)


async def read(request: Request, model: type[B], max_bytes: int, max_seconds: float) -> tuple[B, int]:
    """The body as `model`, and its length in bytes. Reading stops at `max_bytes`.

    Raises ApiError if the body is too long, too slow or not valid for `model`; ClientGone if the client goes before
    its end.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(max_seconds):
            async for part in request.stream():
                body += part
                if len(body) > max_bytes:
                    raise ApiError(413, f"a body must have at most max_body_bytes={max_bytes}, got more: send less")
    except ClientDisconnect as error:
        raise ClientGone from error
    except TimeoutError as error:
        raise ApiError(408, f"a body must come within max_seconds={max_seconds:g}: send it faster") from error
    try:
        return model.model_validate_json(bytes(body)), len(body)
    except ValidationError as error:
        raise of_validation(error) from error
