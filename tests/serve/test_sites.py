"""Requests of other sites' web pages are refused."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.serve.serving import NAME, serving

HERE = "http://127.0.0.1:8000"


def status(headers: Mapping[str, str], *, is_local: bool = True, allow_origins: tuple[str, ...] = ()) -> int:
    async def ask() -> int:
        async with serving(is_local=is_local, allow_origins=allow_origins) as client:
            body = {"model": NAME, "prompt": "a", "max_tokens": 1}
            return (await client.ask("/v1/completions", body, headers=headers)).status

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "127.0.0.1:8000", "Origin": HERE}, 200),
        ({"Host": "127.0.0.1:8000", "Origin": "https://evil.example"}, 403),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, 403),
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, 403),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "["}, 403),
    ],
)
def test_only_pages_of_the_service_itself_may_ask(headers: Mapping[str, str], expected: int) -> None:
    assert expected == status(headers)


def test_a_service_for_other_machines_has_any_name() -> None:
    assert 200 == status({"Host": "models.example"}, is_local=False)
    assert 403 == status({"Host": "models.example", "Origin": "https://evil.example"}, is_local=False)


def test_a_page_that_is_named_may_ask_from_elsewhere() -> None:
    headers = {"Host": "chat.example", "Origin": "https://chat.example"}
    assert 200 == status(headers, allow_origins=("https://chat.example",))
    assert 200 == status({**headers, "Host": "127.0.0.1"}, allow_origins=("https://chat.example",))
    assert 403 == status({"Origin": "https://evil.example"}, allow_origins=("https://chat.example",))
    assert 200 == status({"Origin": "https://evil.example"}, allow_origins=("*",))
