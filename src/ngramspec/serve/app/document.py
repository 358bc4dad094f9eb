"""The OpenAPI document. The service reads bodies itself, within its limits, so their schemas are added here."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ngramspec.serve.endpoints.endpoint import Endpoint

REF = "#/components/schemas/{model}"

ERRORS = {
    "400": "The request cannot be served as it is.",
    "401": "No key, or an unknown one.",
    "404": "Another model.",
    "408": "The body came too slowly.",
    "413": "The body is too long.",
    "429": "Too many requests at once; Retry-After says when to ask again.",
    "500": "The request was right, and could not be served.",
    "503": "The model is being loaded, or the service is about to end.",
    "504": "The answer was not complete in time.",
}


class ErrorDetail(BaseModel):
    """What is wrong, and with which field."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """Every error of the service."""

    error: ErrorDetail


def describe(app: FastAPI, endpoints: Iterable[Endpoint[Any]]) -> None:
    """Give `app` its document; all of its routes must be there."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add(schemas, ErrorBody)
    for endpoint in endpoints:
        _add(schemas, endpoint.request)
        route = document["paths"][endpoint.path]["post"]
        route["requestBody"] = {"required": True, "content": _json_of(endpoint.request)}
        route["responses"] = {
            "200": {
                "description": "The answer, whole or as a stream.",
                "content": {"application/json": {}, "text/event-stream": {}},
            }
        } | {status: {"description": said, "content": _json_of(ErrorBody)} for status, said in ERRORS.items()}
    app.openapi = lambda: document  # type: ignore[method-assign]  # FastAPI documents this override


def _add(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=REF)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema


def _json_of(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
