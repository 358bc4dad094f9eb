"""A service on pico in float64, called in process: over ASGI, without a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

import ngramspec
from ngramspec.serve.app.application import application
from ngramspec.serve.app.service import Service
from ngramspec.serve.settings import Settings
from ngramspec.serve.text.chats import PICO_TEMPLATE

NAME = "pico"


@cache
def pico() -> tuple[Any, Any]:
    """Model and tokenizer; in float64, where the same text is the same to the last token."""
    model, tokenizer = ngramspec.load_pico()
    return model.double(), tokenizer


def generated(prompt: str, guard: ngramspec.Guard | None = None, seed: int = 0, **arguments: Any) -> list[int]:
    """The tokens of plain `generate()`."""
    model, tokenizer = pico()
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    guarded = {} if guard is None else {"logits_processor": [guard.processor()]}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = model.generate(ids, attention_mask=torch.ones_like(ids), **{"do_sample": False} | guarded | arguments)
    tokens: list[int] = made[0, ids.shape[1] :].tolist()
    return tokens


def text_of(tokens: list[int]) -> str:
    text: str = pico()[1].decode(tokens, skip_special_tokens=True)
    return text


@dataclass
class Reply:
    """The answer to a request. pieces: the bodies of its messages."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(b"".join(self.pieces))

    @property
    def events(self) -> list[Any]:
        """Those of a stream, without its last one, [DONE]."""
        lines = b"".join(self.pieces).decode().split("\n\n")
        assert "" == lines[-1]
        data = [line.removeprefix("data: ") for line in lines[:-1]]
        assert "[DONE]" == data[-1]
        return [json.loads(each) for each in data[:-1]]

    @property
    def error(self) -> Any:
        return self.json["error"]


class Client:
    """Asks an application.

    app, service: which.
    """

    def __init__(self, app: Any, service: Service) -> None:
        self.app, self.service = app, service

    async def ask(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        is_complete: bool = True,
        goes_after: int | asyncio.Event | None = None,
    ) -> Reply:
        """body: None for GET; bytes are sent as they are. is_complete: whether all of it is sent.

        goes_after: messages, or an event, after which the client goes.
        """
        reply, gone = Reply(), goes_after if isinstance(goes_after, asyncio.Event) else asyncio.Event()
        if goes_after == 0:
            gone.set()
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        messages = iter(
            [{"type": "http.request", "body": sent if body is not None else b"", "more_body": not is_complete}]
        )

        async def receive() -> Any:
            message = next(messages, None)
            if message is None:
                await gone.wait()
                message = {"type": "http.disconnect"}
            return message

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                reply.pieces.append(message["body"])
                if len(reply.pieces) == goes_after:
                    gone.set()

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "server": ("testserver", 80), "method": "GET" if body is None else "POST", "path": path,
            "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"", "client": None,
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        }  # fmt: skip
        await self.app(scope, receive, send)
        return reply

    async def complete(self, prompt: Any, *, goes_after: int | asyncio.Event | None = None, **fields: Any) -> Reply:
        """Ask for a completion."""
        return await self.ask("/v1/completions", {"model": NAME, "prompt": prompt, **fields}, goes_after=goes_after)

    async def chat(self, *contents: str, **fields: Any) -> Reply:
        """Ask for the next turn of a chat."""
        messages = [{"role": "user", "content": content} for content in contents]
        return await self.ask("/v1/chat/completions", {"model": NAME, "messages": messages, **fields})


@asynccontextmanager
async def serving(
    load: Callable[[], tuple[Any, Any]] = pico,
    clock: Callable[[], float] | None = None,
    *,
    spec: ngramspec.Speculator | None = None,
    waits: bool = True,
    **settings: Any,
) -> AsyncIterator[Client]:
    """A client of a service that serves until the end of the block. waits: until the model is loaded."""
    settings = {"name": NAME, "chat_template": PICO_TEMPLATE} | settings
    service = Service(load, Settings(**settings), spec=spec, **({} if clock is None else {"clock": clock}))
    app = application(service)
    async with app.router.lifespan_context(app):
        if waits:
            await service.ready()
        yield Client(app, service)
