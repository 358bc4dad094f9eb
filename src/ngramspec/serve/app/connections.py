"""Connections over which nothing comes are closed: uvicorn waits for the head of a request without end."""

from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 15.0
"""In which the head of a request must come; a connection without one is closed after that, or twice as much."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # h11's or httptools', whichever is installed
    """uvicorn's, with a limit for the head of a request. Bodies have their own (`bodies.read`)."""

    def connection_made(self, transport: Transport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._seen: Any = None
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close the connection if no request has begun since the last look, and none is being answered."""
        cycle = self.cycle
        if cycle is self._seen and (cycle is None or cycle.response_complete):
            self.transport.close()
            return
        self._seen = cycle
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)
