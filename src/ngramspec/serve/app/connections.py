"""Limits on connections: their number, and how long one may be idle.

uvicorn waits forever for the head of a request, and for a client to read what it was sent.
"""

from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SECONDS = 15.0
"""Time between two looks at a connection. It is closed after one to two times this without the head of a request, or
without any read of an answer that is complete."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # h11's or httptools', whichever is installed
    """uvicorn's connection, with limits. Bodies and streams have their own (`bodies.read`, `EventStream`).

    uvicorn's `limit_concurrency` bounds the connections: one more is closed at once instead of answered.
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

        The client may still read what was sent, as long as it reads some of it between two looks.
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
