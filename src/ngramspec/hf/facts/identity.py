"""Identities of things, which do not keep them alive."""

import inspect
import weakref
from collections.abc import Hashable, Iterable
from typing import Any


class Same:
    """A thing and no other one, without keeping it alive; raises TypeError for what cannot be referred to weakly."""

    def __init__(self, thing: Any) -> None:
        self._reference = weakref.ref(thing)
        self._id = id(thing)

    def holds(self, thing: Any) -> bool:
        """Whether it is this very thing."""
        return self._reference() is thing

    @property
    def is_gone(self) -> bool:
        """Whether the thing is no more."""
        return self._reference() is None

    def __hash__(self) -> int:
        """Of the thing."""
        return self._id

    def __eq__(self, other: object) -> bool:
        """Whether both are of one thing that is still there."""
        return isinstance(other, Same) and self._id == other._id and not self.is_gone and not other.is_gone


def is_gone(identity: Hashable) -> bool:
    """Whether something that `identity` is of is no more."""
    if isinstance(identity, tuple):
        return any(map(is_gone, identity))
    return isinstance(identity, Same) and identity.is_gone


def identity_of(thing: Any) -> Hashable | None:
    """Equal for this thing alone, and not keeping it alive; None where that is not to be had."""
    parts = [thing.__self__, thing.__func__] if inspect.ismethod(thing) else [thing]
    return joint_identity(parts)


def joint_identity(things: Iterable[Any]) -> Hashable | None:
    """As `identity_of`, of several things together."""
    try:
        return tuple(map(Same, things))
    except TypeError:
        return None
