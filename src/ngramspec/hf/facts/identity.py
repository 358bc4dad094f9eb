"""Identities that do not keep their objects alive."""

import inspect
import weakref
from collections.abc import Hashable, Iterable
from typing import Any


class WeakIdentity:
    """Identity of one object, by a weak reference; raises TypeError for an object that cannot have one."""

    def __init__(self, thing: Any) -> None:
        self._reference = weakref.ref(thing)
        self._id = id(thing)

    def holds(self, thing: Any) -> bool:
        """Whether `thing` is this object."""
        return self._reference() is thing

    @property
    def is_gone(self) -> bool:
        """Whether the object was freed."""
        return self._reference() is None

    def __hash__(self) -> int:
        """Hash of the object's identity."""
        return self._id

    def __eq__(self, other: object) -> bool:
        """Whether both refer to one object that is still alive."""
        return isinstance(other, WeakIdentity) and self._id == other._id and not self.is_gone and not other.is_gone


def is_gone(identity: Hashable) -> bool:
    """Whether an object that is part of `identity` was freed."""
    if isinstance(identity, tuple):
        return any(map(is_gone, identity))
    return isinstance(identity, WeakIdentity) and identity.is_gone


def identity_of(thing: Any) -> Hashable | None:
    """A value that is equal for this object only, and does not keep it alive; None if it takes no weak reference."""
    parts = [thing.__self__, thing.__func__] if inspect.ismethod(thing) else [thing]
    return joint_identity(parts)


def joint_identity(things: Iterable[Any]) -> Hashable | None:
    """Like `identity_of`, for several objects together."""
    try:
        return tuple(map(WeakIdentity, things))
    except TypeError:
        return None
