"""Locks that survive a fork: the child of a busy process finds them free, and the data that they protect consistent.

`os.fork` copies memory and one thread. A lock that another thread held at that moment stays locked in the child without
a holder, so acquiring it there blocks for ever. Therefore the forking thread first acquires all locks that were made
here, waiting at most PATIENCE, and the child begins with all of them free.
"""

import os
import threading
import weakref
from time import monotonic
from typing import Any

PATIENCE = 1.0
"""Most seconds that a fork waits for all locks that others hold. After that the child gets a fresh lock, and data that
may be half changed."""


def lock(*, is_held_long: bool = False) -> threading.Lock:
    """A new `threading.Lock`, free in a forked child; do not fork while holding it.

    is_held_long: it is held for a long time, while no data is half changed, so a fork does not wait for it.
    """
    made = threading.Lock()
    _forks.know(made, is_held_long)
    return made


def rlock(*, is_held_long: bool = False) -> Any:
    """A new `threading.RLock`, as `lock`; a thread that forks while holding it holds it in both processes."""
    made = threading.RLock()
    _forks.know(made, is_held_long)
    return made


class _Forks:
    """All locks that were made here, and those that the current fork has acquired."""

    def __init__(self) -> None:
        self.locks: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self.taken: list[Any] = []

    def know(self, made: Any, is_held_long: bool) -> None:
        """Track this lock as long as it is referenced."""
        self.locks[made] = is_held_long

    def before(self) -> None:
        """Acquire all locks; one that is made meanwhile is reinitialised in the child if it is held."""
        until = monotonic() + PATIENCE
        for held in self._all():
            patience = 0.0 if self.locks[held] else max(0.0, until - monotonic())
            if held.acquire(timeout=patience):
                self.taken.append(held)

    def after_in_parent(self) -> None:
        """Release the acquired locks."""
        self._let_go()

    def after_in_child(self) -> None:
        """Release the acquired locks, and reinitialise those held by threads that do not exist here."""
        taken = {id(held) for held in self.taken}
        for held in self._all():
            if id(held) not in taken:
                held._at_fork_reinit()  # as Python does with its own locks
        self._let_go()

    def _all(self) -> list[Any]:
        references = self.locks.keyrefs()  # atomic: other threads may make locks meanwhile
        return [held for held in (reference() for reference in references) if held is not None]

    def _let_go(self) -> None:
        while self.taken:
            self.taken.pop().release()


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child
    )
