"""The line of those that wait for room, in which owners take turns."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """Gives room to one of each owner in turn: round robin, in the order in which owners have come.

    So a single request waits for one of each owner before it, and not for all samples of somebody else's. Whoever is
    next stays next until it has room, and new owners go to the end: nobody waits for ever.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._of_owner: dict[Hashable, deque[T]] = {}  # in the order of their turns

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(own) for own in self._of_owner.values())

    def __iter__(self) -> Iterator[T]:
        """All that wait, owner by owner."""
        return (each for own in self._of_owner.values() for each in own)

    @property
    def next(self) -> T:
        """Whose turn it is; raises StopIteration where nobody waits."""
        return next(iter(self))

    def add(self, each: T, owner: Hashable) -> None:
        """Let `each` wait after those of the same owner."""
        self._of_owner.setdefault(owner, deque()).append(each)

    def take(self) -> T:
        """Take out whose turn it is; then it is the other owners' turn."""
        owner, own = next(iter(self._of_owner.items()))
        del self._of_owner[owner]
        taken = own.popleft()
        if own:
            self._of_owner[owner] = own
        return taken

    def remove(self, each: T) -> None:
        """Take out `each`, which waits; its owner keeps its turn for others of it."""
        owner = next(owner for owner, own in self._of_owner.items() if each in own)
        self._of_owner[owner].remove(each)
        if not self._of_owner[owner]:
            del self._of_owner[owner]
