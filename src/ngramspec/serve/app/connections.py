"""Connections: so many at most, and none over which nothing comes or goes.

uvicorn waits without end for the head of a request, and for a client to read what it has been sent.
"""

from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SECONDS = 15.0
"""From one look at a connection to the next: so long, or twice as long, may pass without the head of a request, or
without any reading of an answer that is complete."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # h11's or httptools', whichever is installed
    """uvicorn's, with limits. Bodies and streams have their own (`bodies.read`, `EventStream`).

    uvicorn's `limit_concurrency` is the most connections: one more is closed at once, instead of being answered.
    """

    def connection_made(self, transport: Transport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._seen: Any = None
        self._unread: int | None = None
        self._timer = self.loop.call_later(SECONDS, self._look)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close the connection if no request has begun since the last look and none is being answered.

        What was sent may be read after that, as long as some of it is read from one look to the next.
        """
        cycle, transport = self.cycle, self.transport
        unread = transport.get_write_buffer_size()
        is_over = cycle is self._seen and (cycle is None or cycle.response_complete or transport.is_closing())
        if is_over and self._unread is not None and unread >= self._unread:
            transport.abort()
            return
        if is_over:
            transport.close()
        self._seen, self._unread = cycle, unread if is_over else None
        self._timer = self.loop.call_later(SECONDS, self._look)
