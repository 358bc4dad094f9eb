"""Locks that outlive a fork: the child of a busy process finds them free, and what they guard whole.

`os.fork` copies memory and one thread. A lock that another thread held at that moment stays held in the child, by
nobody, and whoever takes it there waits for ever. Therefore the thread that forks first takes all locks that were made
here, for which it waits PATIENCE at the most, and the child begins with all of them free.
"""

import os
import threading
import weakref
from time import monotonic
from typing import Any

PATIENCE = 1.0
"""Seconds for which a fork waits for locks that others hold, for all of them together. Then it goes on: the child has
such a lock anew, and what it guards as it was in mid-change."""


def lock(*, is_held_long: bool = False) -> threading.Lock:
    """A new `threading.Lock`, free in a forked child; do not fork while holding it.

    is_held_long: what is done under it takes long and leaves nothing half done, so a fork does not wait for it.
    """
    made = threading.Lock()
    _forks.know(made, is_held_long)
    return made


def rlock(*, is_held_long: bool = False) -> Any:
    """A new `threading.RLock`, as `lock`; whoever forks while holding it holds it on in both processes."""
    made = threading.RLock()
    _forks.know(made, is_held_long)
    return made


class _Forks:
    """All locks that were made here, and those that the fork that is going on has taken."""

    def __init__(self) -> None:
        self.locks: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self.taken: list[Any] = []

    def know(self, made: Any, is_held_long: bool) -> None:
        """Take care of this one, as long as somebody has it."""
        self.locks[made] = is_held_long

    def before(self) -> None:
        """Take all locks that there are; one that is made meanwhile is made anew in the child, if somebody holds it."""
        until = monotonic() + PATIENCE
        for held in self._all():
            patience = 0.0 if self.locks[held] else max(0.0, until - monotonic())
            if held.acquire(timeout=patience):
                self.taken.append(held)

    def after_in_parent(self) -> None:
        """Let go of what was taken."""
        self._let_go()

    def after_in_child(self) -> None:
        """Make anew, besides, what is held by threads that are not here."""
        taken = {id(held) for held in self.taken}
        for held in self._all():
            if id(held) not in taken:
                held._at_fork_reinit()  # as Python does with its own
        self._let_go()

    def _all(self) -> list[Any]:
        references = self.locks.keyrefs()  # in one step, while other threads make locks: they may hold one meanwhile
        return [held for held in (reference() for reference in references) if held is not None]

    def _let_go(self) -> None:
        while self.taken:
            self.taken.pop().release()


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child
    )
