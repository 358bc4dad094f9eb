"""The body of a request: read within its bound, and checked."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from ngramspec.serve.app.clients import ClientGone
from ngramspec.serve.wire.errors import ApiError, of_validation

B = TypeVar("B", bound=BaseModel)


async def read(request: Request, model: type[B], max_bytes: int) -> B:
    """The body as `model`; it is read no further than it is allowed to be long.

    Raises ApiError for one that is too long or not as `model` says, ClientGone where it never comes to its end.
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise ApiError(413, f"a body must have at most max_body_bytes={max_bytes}, got more: send less")
    except ClientDisconnect as error:
        raise ClientGone from error
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise of_validation(error) from error
