"""What a backend would not enforce: found, named, and left out where that is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ngramspec.errors import UnsupportedError
from ngramspec.guards.schemas.node import Node, Schema, mapped

Reason = Callable[[Node, str], str | None]
"""Why a backend would not enforce a keyword of a schema; None where it would."""

ALONG = {"contains": ("minContains", "maxContains"), "if": ("then", "else")}
"""Keywords that mean nothing without another one."""
DEPENDENT = {keyword for keywords in ALONG.values() for keyword in keywords}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A keyword that a backend does not enforce, where it is, why, and which backends do."""

    keyword: str
    place: str
    reason: str
    able: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As errors and warnings say it."""
        others = " and ".join(f"backend={name!r}" for name in self.able)
        return f"{self.keyword!r} at {self.place} ({self.reason}); {others or 'no backend'} enforces it"


class Refuser:
    """Takes out of schemas what a backend does not enforce, and says what that was."""

    def __init__(self, backend: str, reasons: Mapping[str, Reason]) -> None:
        self.refusals: list[Refusal] = []
        self._backend = backend
        self._reasons = reasons

    def enforced(self, schema: Schema) -> Schema:
        """What the backend enforces of `schema`."""
        if isinstance(schema, bool):
            return schema
        node = mapped(schema, self.enforced)
        for keyword in sorted(schema, key=DEPENDENT.__contains__):
            reason = self._reasons[self._backend](schema, keyword) if keyword in node else None
            if reason is not None:
                self.refuse(schema, keyword, reason)
                node = without(node, keyword)
        return node

    def refuse(self, node: Node, keyword: str, reason: str) -> None:
        """Note that `keyword` is not enforced."""
        others = (name for name in self._reasons if name != self._backend)
        able = tuple(name for name in others if self._reasons[name](node, keyword) is None)
        self.refusals.append(Refusal(node.said(keyword), node.pointer(keyword), reason, able))

    def check(self) -> None:
        """Raise UnsupportedError for what was refused."""
        if not self.refusals:
            return
        more = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
        raise UnsupportedError(
            f"every keyword of a schema must be enforced, got with {self._backend}: {self.refusals[0]}{more}."
            " lenient=True leaves it out, with a warning"
        )


def without(node: Node, keyword: str) -> Node:
    """`node` without `keyword`, and without what means nothing alone; of a `oneOf`, that any of it holds stays."""
    left = node.with_({}, without=(keyword, *ALONG.get(keyword, ())))
    if keyword != "oneOf":
        return left
    if "anyOf" not in left:
        return left.with_({"anyOf": node["oneOf"]}, said="oneOf")
    return left.with_({"allOf": [*left.get("allOf", []), Node({"anyOf": node["oneOf"]}, node.place)]}, said="oneOf")
