"""Web pages that may send requests. A browser lets any page send them to this machine, though not read the answers."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ngramspec.serve.wire.errors import ApiError


class Sites:
    """Refuses requests of other sites' pages, before anything is done for them.

    `Origin` names such a site. If its name was made to resolve to this machine (DNS rebinding), the page seems to be
    the service's own, but `Host` has that name.
    """

    def __init__(self, app: ASGIApp, allow_origins: Collection[str], *, is_local: bool) -> None:
        """allow_origins: other sites whose pages may send requests, "*" for all.

        is_local: whether all requests come from this machine, which names the service `localhost` or by an address.
        """
        self._app, self._allow_origins, self._is_local = app, frozenset(allow_origins), is_local
        self._hosts = {urlsplit(origin).hostname for origin in allow_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 403."""
        error = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse(error.body(), error.status)(scope, receive, send)

    def _refusal(self, headers: Headers) -> ApiError | None:
        origin, host = headers.get("origin"), headers.get("host", "")
        if "*" in self._allow_origins:
            return None
        if origin is not None and origin not in self._allow_origins and origin.partition("://")[2] != host:
            return _refused(f"a web page must be the service's own or one of --allow-origin, got {origin[:100]!r}")
        if self._is_local and host and not self._is_own(host):
            return _refused(
                f"without keys the service is asked by this machine alone, as localhost, got {host[:100]!r}: start it"
                " with --api-keys, or name the page by --allow-origin"
            )
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name == "localhost" or name.endswith(".localhost") or name in self._hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _refused(message: str) -> ApiError:
    return ApiError(403, message, code="permission_denied")
