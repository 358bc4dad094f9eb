"""API keys, which identify tenants."""

import hashlib
from collections.abc import Mapping
from hmac import compare_digest

from ngramspec.serve.endpoints.prepared_request import Tenant
from ngramspec.serve.wire.errors import ApiError

OPERATOR = "operator"
"""The tenant who may see the traffic of all tenants."""


class Keys:
    """The keys of a service; without any, all requests belong to one tenant."""

    def __init__(self, api_keys: Mapping[str, str]) -> None:
        """api_keys: tenants by name, and their keys."""
        self._digests = {name: _digest(key) for name, key in api_keys.items()}

    def tenant(self, authorization: str | None) -> Tenant:
        """The tenant of a request; authorization: the header.

        The given key is compared with all keys, each in a time that does not depend on how much of it is right.
        Raises ApiError for a missing or a wrong key.
        """
        if not self._digests:
            return Tenant()
        scheme, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip())
        found = [name for name, digest in self._digests.items() if compare_digest(digest, given)]
        if not found or scheme.lower() != "bearer":
            raise ApiError(
                401,
                "a request needs the key of a tenant, got none or an unknown one: send 'Authorization: Bearer KEY'",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return Tenant(found[0])

    def check_operator(self, authorization: str | None) -> None:
        """Raise ApiError unless the request is the operator's."""
        tenant = self.tenant(authorization)
        if self._digests and tenant.name != OPERATOR:
            raise ApiError(
                403,
                f"metrics are of all tenants, got a request of one: send the key of the tenant {OPERATOR!r}",
                code="permission_denied",
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
