"""Instructor's client works, whether it requests a class by a tool or by a schema."""

import openai
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from ngramspec.pico import extract_prompt
from ngramspec.serve.app.application import application
from ngramspec.serve.app.service import Service
from ngramspec.serve.settings import Settings
from tests.serve.families import HERMES
from tests.serve.serving import NAME, pico

# Not in the extra `test`, but in the pins (.ci/instructor.in): CI has it.
instructor = pytest.importorskip("instructor")


class Order(BaseModel, extra="forbid"):
    order: str
    quantity: int


EXTRACT = extract_prompt("The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})
CALL = '### repeat\n<tool_call>\n{"name": "Order", "arguments": {"order": "B/20934", "quantity": 12}}\n</tool_call>'


@pytest.mark.parametrize(
    ("mode", "task"),
    [("TOOLS", CALL), ("JSON_SCHEMA", EXTRACT.removesuffix("\n### answer\n"))],
)
def test_instructor_gets_an_instance_of_its_class(mode: str, task: str) -> None:
    service = Service(pico, Settings(NAME, chat_template=HERMES))
    with TestClient(application(service)) as http:
        assert http.portal is not None
        http.portal.call(service.ready)
        client = openai.OpenAI(api_key="none", base_url="http://testserver/v1", http_client=http, max_retries=0)
        order = instructor.from_openai(client, mode=instructor.Mode[mode]).chat.completions.create(
            model=NAME,
            response_model=Order,
            max_retries=0,
            messages=[{"role": "user", "content": task}],
        )
    assert isinstance(order, Order)  # of a class that Instructor has derived, with a tool
    assert {"order": "B/20934", "quantity": 12} == order.model_dump()
