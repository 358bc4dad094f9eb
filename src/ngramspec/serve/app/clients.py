"""Clients may go at any time; the work for a client ends when it has gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):  # noqa: N818 (not an error: clients may go)
    """The client has gone: nobody waits for the answer."""


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client goes; then raises ClientGone.

    receive: of the request, whose body has been read.
    """
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


class ClientWork:
    """The work that one client waits for while other threads prepare its request."""

    def __init__(self, receive: Receive, ending: ExitStack) -> None:
        """ending: what the request holds; closed by its owner, or here once no thread works for it any more."""
        self._receive, self._ending = receive, ending

    async def done_on(self, threads: Executor, work: Callable[[], T]) -> T:
        """The result of `work` on one of `threads`; raises ClientGone when the client goes.

        A thread that has started goes on, and the request keeps its seat until that has finished: a client cannot get
        more threads by disconnecting.
        """
        loop, future = asyncio.get_running_loop(), threads.submit(work)
        try:
            return await unless_gone(self._receive, _result(future))
        except ClientGone:
            if not future.cancel():
                kept = self._ending.pop_all()
                future.add_done_callback(lambda _: loop.call_soon_threadsafe(kept.close))
            raise


async def _result(future: Future[T]) -> T:
    return await asyncio.wrap_future(future)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Server-sent events, up to the last one or until the client goes.

    Both are detected whatever ASGI version the server states, and then `ending` is closed.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], ending: ExitStack, max_seconds: float) -> None:
        """events: as they are sent. ending: closed once nothing is sent any more, at the latest after `max_seconds`."""
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events, self._ending, self._max_seconds = events, ending, max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with self._ending:
            try:
                async with asyncio.timeout(self._max_seconds):
                    await unless_gone(receive, self._sent(send))
            except (ClientGone, OSError):  # a timeout is an OSError; some servers raise one when the client has gone
                return

    async def _sent(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for event in self._events:
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
