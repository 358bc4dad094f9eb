"""The OpenAPI document describes what the service accepts."""

import asyncio
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.serve.serving import NAME, serving
from tests.serve.test_identity import KEPT


@pytest.fixture(scope="module")
def document() -> Any:
    async def ask() -> Any:
        async with serving() as client:
            return (await client.ask("/openapi.json")).json

    return asyncio.run(ask())


def is_valid(document: Any, path: str, body: Any) -> bool:
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return bool(Draft202012Validator({**schema, "components": document["components"]}).is_valid(body))


def test_every_reference_of_the_document_leads_somewhere(document: Any) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert len(named) > 10
    assert set() == named - document["components"]["schemas"].keys()


def test_what_is_served_is_valid_by_the_document(document: Any) -> None:
    wrong = [
        asked.fields
        for asked in KEPT
        if not is_valid(document, "/v1/completions", {"model": NAME, "prompt": asked.prompt, **asked.fields})
    ]
    assert [] == wrong
    assert is_valid(document, "/v1/chat/completions", {"model": NAME, "messages": [{"role": "user", "content": "a"}]})
    assert is_valid(document, "/v1/responses", {"model": NAME, "input": [{"role": "user", "content": "a"}]})


@pytest.mark.parametrize("wrong", [{"nonsense": 1}, {"temperature": 3}, {"stop": [""]}, {"prompt": [["a"]]}])
def test_what_is_refused_is_not_valid_by_the_document(document: Any, wrong: dict[str, Any]) -> None:
    assert not is_valid(document, "/v1/completions", {"model": NAME, "prompt": "a", **wrong})
