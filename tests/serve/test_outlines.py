"""Outlines' client works."""

import openai
import outlines
from fastapi.testclient import TestClient
from pydantic import BaseModel

from ngramspec.pico import extract_prompt
from ngramspec.serve.app.application import application
from ngramspec.serve.app.service import Service
from ngramspec.serve.settings import Settings
from ngramspec.serve.text.chats import PICO_TEMPLATE
from tests.serve.serving import NAME, pico


class Order(BaseModel, extra="forbid"):
    order: str
    quantity: int


def test_outlines_gets_what_fits_its_class() -> None:
    service = Service(pico, Settings(NAME, chat_template=PICO_TEMPLATE))
    task = extract_prompt("The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})
    with TestClient(application(service)) as http:
        assert http.portal is not None
        http.portal.call(service.ready)
        client = openai.OpenAI(api_key="none", base_url="http://testserver/v1", http_client=http, max_retries=0)
        text = outlines.from_openai(client, NAME)(task.removesuffix("\n### answer\n"), Order)
    assert isinstance(text, str)
    assert Order(order="B/20934", quantity=12) == Order.model_validate_json(text)
