"""Errors in OpenAI's shape, `{"error": {"message", "type", "param", "code"}}`, with their status."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError

from ngramspec.errors import readable, shortened
from ngramspec.serve.wire.base import UNRECOGNIZED, Wire

MOST_NAMED = 100
"""Characters of an unknown field's name that an error quotes."""

MOST_REASONS = 3
"""Most reasons given for one field: why it is not a valid text, not a valid list, and so on."""


class ApiError(Exception):
    """An error that is sent to the client, and its status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(readable(message))
        self.status, self.headers = status, dict(headers or {})
        self.kind, self.param, self.code = kind, param, code

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that cannot be served as it is."""
    return ApiError(400, message, param=param, code=code)


def busy(message: str, seconds: int = 1) -> ApiError:
    """Too many requests at once; the client may ask again after `seconds`."""
    return ApiError(
        429, message, kind="rate_limit_error", code="rate_limit_exceeded", headers={"Retry-After": str(seconds)}
    )


def unready(message: str, seconds: int = 1) -> ApiError:
    """The service is starting, or about to end."""
    return ApiError(503, message, kind="server_error", code="unavailable", headers={"Retry-After": str(seconds)})


def failed(message: str, code: str = "internal_error") -> ApiError:
    """The request was valid, but its answer could not be completed."""
    return ApiError(500, message, kind="server_error", code=code)


def overdue(seconds: float) -> ApiError:
    """The answer was not complete in time."""
    return ApiError(
        504,
        f"an answer must be complete within max_seconds={seconds:g}: ask for fewer tokens, or ask again",
        kind="server_error",
        code="timeout",
    )


def of_validation(error: ValidationError) -> ApiError:
    """The first invalid field of a body, and why it is invalid.

    Of a union, the member that was read furthest is assumed to be the one that was meant.
    """
    found = error.errors(include_url=False)
    paths = [_path(each["loc"]) for each in found]
    of_field = [index for index, each in enumerate(found) if each["loc"][:1] == found[0]["loc"][:1]]
    furthest = max(of_field, key=lambda index: len(_steps(found[index]["loc"])))
    first, location = found[furthest], paths[furthest]
    if first["type"] == UNRECOGNIZED:
        name = _path([*first["loc"], str(first["ctx"]["name"])[:MOST_NAMED]])
        return invalid(f"Unrecognized request argument supplied: {name}", param=name)
    if first["type"] == "value_error":  # from a validator of ours, whose message is complete
        return invalid(first["msg"].removeprefix("Value error, "), param=location or None)
    if not location:
        return invalid(f"the body must be a JSON object of this request's fields, got: {first['msg']}")
    same = [each["msg"] for each, path in zip(found, paths, strict=True) if path == location]
    reasons = "; or ".join(list(dict.fromkeys(same))[:MOST_REASONS])
    got = "nothing" if first["type"] == "missing" else shortened(first["input"])
    return invalid(f"Invalid value for {location!r}: {reasons}; got {got}", param=location)


def _path(location: Sequence[int | str]) -> str:
    """A location as a path, such as `messages[0].content`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in _steps(location))
    return path.removeprefix(".")


def _steps(location: Sequence[int | str]) -> list[int | str]:
    """A location without pydantic's names for the members of a union."""
    return [step for step in location if isinstance(step, int) or not _is_member(step)]


_TYPES = ("str", "int", "float", "bool", "none")


def _is_member(step: str) -> bool:
    return step in _TYPES or not step.replace("_", "").isalnum() or step in _names_of_parts()


@cache
def _names_of_parts() -> frozenset[str]:
    """Class names of all parts of requests: pydantic names members of unions after their classes."""
    found, waiting = set(), Wire.__subclasses__()
    while waiting:
        part = waiting.pop()
        found.add(part.__name__)
        waiting += part.__subclasses__()
    return frozenset(found)
