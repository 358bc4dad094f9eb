"""Connections are bounded, and idle ones are closed; over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn

from ngramspec.serve.app import connections
from ngramspec.serve.app.clients import EventStream
from tests.serve.serving import NAME
from tests.serve.test_process import PATIENCE, address_in, asked, metric, process

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BUFFER = 1 << 13
LONG = bytes(1 << 23)
"""Far more than the buffers of a connection take."""


async def long_answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LONG, "more_body": False})


async def endless(scope: Any, receive: Any, send: Any) -> None:
    async def events() -> AsyncIterator[str]:
        while True:
            yield "data: " + "a" * BUFFER

    await EventStream(events(), ExitStack(), max_seconds=0.05)(scope, receive, send)


async def short_answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def listening(app: Any, **options: Any) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A server of `app` with our connections, and its port."""
    config = uvicorn.Config(app, http=connections.Connection, lifespan="off", log_level="critical", **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            async with asyncio.timeout(PATIENCE):
                yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def reader(port: int) -> AsyncIterator[socket.socket]:
    """A client that has sent its request; its system takes in little of what it does not read."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(client, REQUEST)
        yield client


@pytest.mark.parametrize("app", [long_answer, endless])
def test_a_client_that_does_not_read_loses_its_connection(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", 0.02)

    async def go() -> None:
        async with listening(app) as (server, port), reader(port):
            while not server.server_state.connections:
                await asyncio.sleep(0.001)
            while server.server_state.connections:
                await asyncio.sleep(0.001)

    asyncio.run(go())


def test_a_client_that_reads_slowly_gets_all_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", 0.2)
    look, num_looks = connections.Connection._look, 0

    def counting(connection: connections.Connection) -> None:
        nonlocal num_looks
        num_looks += 1
        look(connection)

    monkeypatch.setattr(connections.Connection, "_look", counting)

    async def go() -> int:
        async with listening(long_answer, timeout_keep_alive=0) as (_, port), reader(port) as client:
            length = 0
            while part := await asyncio.get_running_loop().sock_recv(client, BUFFER):
                length += len(part)
                await asyncio.sleep(0.001)
            return length

    assert len(LONG) < asyncio.run(go())
    assert num_looks > 3  # at which a client that reads nothing would have gone


def test_one_connection_more_than_there_may_be_is_closed_and_the_others_are_served() -> None:
    async def go() -> list[bytes]:
        async with listening(short_answer, limit_concurrency=4) as (_, port), AsyncExitStack() as ending:
            clients = []
            for _ in range(3):
                clients.append(await asyncio.open_connection("127.0.0.1", port))
                ending.callback(clients[-1][1].close)
            further, writer = await asyncio.open_connection("127.0.0.1", port)
            ending.callback(writer.close)
            reply = [await all_of(further)]
            for own, writer in clients:
                writer.write(REQUEST)
                reply.append(await own.readline())
            return reply

    assert [b"", *[b"HTTP/1.1 204 No Content\r\n"] * 3] == asyncio.run(go())


async def all_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:  # closed without a farewell
        return b""


def test_a_connection_without_a_request_is_closed_and_one_with_an_answer_in_progress_is_not() -> None:
    often = f"import {connections.__name__} as c; c.SECONDS = 0.05; from ngramspec.cli import main; main()"
    body = {"model": NAME, "prompt": "a", "max_tokens": 300, "ignore_eos": True, "speculate": False, "stream": True}
    with process(program=often) as (_, line):
        address = address_in(line)
        host, port = address.removeprefix("http://").split(":")
        for sent in (b"", b"GET /health HTTP/1.1\r\nHost:"):
            with socket.create_connection((host, int(port)), PATIENCE) as client:
                client.sendall(sent)
                assert b"" == client.recv(1)
        assert b"data: [DONE]\n\n" == asked(address, "/v1/completions", body).read()[-14:]
        assert 300 == metric(address, "vllm:generation_tokens_total")
