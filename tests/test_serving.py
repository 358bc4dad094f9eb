"""The serving example over a real socket: its client gets the text, and may go, and may not ask for too much."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
import torch

import ngramspec
from ngramspec.pico import repeat_prompt

TIMEOUT = 60  # seconds until something counts as hanging; nobody waits that long
TEXT = "A client may go at any time,\nand then nobody reads on."


class Server:
    """Speaks as much HTTP as an ASGI application needs to stream an answer, on a port of the loopback of its own."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._server: Any = None
        self._thread = threading.Thread(target=self._run)
        ready = threading.Event()
        self._loop.call_soon(lambda: self._loop.create_task(self._start(ready)))
        self._thread.start()
        assert ready.wait(TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _start(self, ready: threading.Event) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        ready.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path, _, query = head.split()[1].partition("?")
        gone = asyncio.Event()
        watching = asyncio.create_task(reader.read())
        watching.add_done_callback(lambda _: gone.set())
        asgi = {"version": "3.0", "spec_version": self.spec}
        scope: dict[str, Any] = {"type": "http", "asgi": asgi, "http_version": "1.1", "server": None,
                 "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
                 "query_string": query.encode(), "headers": [], "client": None}  # fmt: skip
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            message = next(messages, None)
            if message is None:
                await gone.wait()
                message = {"type": "http.disconnect"}
            return message

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                writer.write(b"HTTP/1.1 %d -\r\n\r\n" % message["status"])
            else:
                writer.write(message["body"])
            if not gone.is_set():
                await writer.drain()

        try:
            await self._app(scope, receive, send)
        finally:
            watching.cancel()
            writer.close()

    spec = "2.3"
    """ASGI's; from 2.4 on starlette does not look itself whether the client is there."""

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)


@pytest.fixture(scope="module")
def serving() -> Iterator[ModuleType]:
    from examples import serving

    yield serving
    ngramspec.disable(serving.model)


@pytest.fixture
def server(serving: ModuleType) -> Iterator[Server]:
    server = Server(serving.app)
    yield server
    server.close()


def asked(server: Server, **parameters: object) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
    client.sendall(f"GET /repeat?{urlencode(parameters)} HTTP/1.1\r\n\r\n".encode())
    return client


def answer(server: Server, **parameters: object) -> tuple[int, str]:
    with asked(server, **parameters) as client:
        whole = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    head, _, body = whole.partition("\r\n\r\n")
    return int(head.split()[1]), body


def test_a_client_gets_the_text_of_plain_decoding(serving: ModuleType, server: Server) -> None:
    inputs = serving.tokenizer(repeat_prompt(TEXT), return_tensors="pt")
    plain: Any = ngramspec.load_pico()[0]
    made = plain.generate(**inputs, max_new_tokens=96)[0, inputs["input_ids"].shape[1] :]
    assert (200, serving.tokenizer.decode(made, skip_special_tokens=True)) == answer(server, text=TEXT)


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
@pytest.mark.parametrize("when", ["after the first piece", "at once"])
def test_decoding_stops_when_the_client_has_gone(
    serving: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch, spec: str, when: str
) -> None:
    generate, counted, has_ended = serving.model.generate, [0], threading.Event()

    def slow(**arguments: Any) -> Any:
        (criterion,) = arguments["stopping_criteria"]

        def wait(input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            counted[0] += 1
            if counted[0] == 12:
                criterion.is_over.wait(TIMEOUT)
            return scores

        try:
            return generate(**arguments, logits_processor=[wait], eos_token_id=None)
        finally:
            has_ended.set()

    monkeypatch.setattr(serving.model, "generate", slow)
    monkeypatch.setattr(server, "spec", spec)
    with asked(server, text=TEXT, max_new_tokens=250) as client:
        if when == "after the first piece":
            client.recv(10)
    assert has_ended.wait(TIMEOUT)
    assert counted[0] <= 13
    monkeypatch.undo()
    assert 200 == answer(server, text=TEXT)[0]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"text": "a" * 2001}, 422),
        ({"text": "a", "max_new_tokens": 251}, 422),
        ({"text": "a", "max_new_tokens": 0}, 422),
        ({}, 422),
    ],
)
def test_what_is_too_much_is_refused(server: Server, parameters: dict[str, object], code: int) -> None:
    assert code == answer(server, **parameters)[0]


def test_calls_above_the_limit_are_refused(
    serving: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, may_end = serving.model.generate, threading.Event()

    def waits(**arguments: Any) -> Any:
        assert may_end.wait(TIMEOUT)
        return generate(**arguments)

    monkeypatch.setattr(serving.model, "generate", waits)
    clients = [asked(server, text=TEXT, max_new_tokens=3) for _ in range(serving.MOST_CALLS)]
    for client in clients:
        client.recv(4)
    code, body = answer(server, text=TEXT)
    may_end.set()
    assert (503, {"detail": "too many calls at a time: try again"}) == (code, json.loads(body))
    for client in clients:
        with client:
            assert b"" != b"".join(iter(lambda client=client: client.recv(4096), b""))  # type: ignore[misc]
    assert 200 == answer(server, text=TEXT)[0]


def test_an_answer_whose_decoding_fails_ends(
    serving: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = serving.model.generate
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)

    def fails(**arguments: Any) -> Any:
        return generate(**{**arguments, "input_ids": torch.tensor([[5, 2_000_000]])})

    monkeypatch.setattr(serving.model, "generate", fails)
    assert (200, "") == answer(server, text=TEXT)
