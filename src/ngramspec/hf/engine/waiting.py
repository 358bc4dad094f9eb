"""The queue of those that wait for room, in which the samples of one request do not hold up short ones."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class WaitingQueue(Generic[T]):
    """Gives room by turns to the oldest entry and to the owner with the fewest entries, the older one in a tie.

    So a single request does not wait for all samples of another owner. Owners with equally many samples do not
    interleave, as under round robin: the older one is done first. Nobody starves: every second turn is the oldest's, so
    each of the n entries ahead takes at most one of those.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._of_owner: dict[Hashable, deque[tuple[int, T]]] = {}  # each with its arrival number
        self._num_come = self._num_taken = 0

    def __len__(self) -> int:
        """The number of entries."""
        return sum(len(own) for own in self._of_owner.values())

    def __iter__(self) -> Iterator[T]:
        """All entries, owner by owner."""
        return (each for own in self._of_owner.values() for _, each in own)

    @property
    def next(self) -> T:
        """The entry whose turn it is; there must be one."""
        return self._of_owner[self._next_owner()][0][1]

    def add(self, each: T, owner: Hashable) -> None:
        """Add `each` after those of the same owner."""
        self._of_owner.setdefault(owner, deque()).append((self._num_come, each))
        self._num_come += 1

    def take(self) -> T:
        """Take out the entry whose turn it is."""
        taken = self.next
        self.remove(taken)
        self._num_taken += 1
        return taken

    def remove(self, each: T) -> None:
        """Take out `each`, which must be waiting."""
        owner = next(owner for owner, own in self._of_owner.items() if any(each is one for _, one in own))
        left = deque((number, one) for number, one in self._of_owner[owner] if one is not each)
        if left:
            self._of_owner[owner] = left
        else:
            del self._of_owner[owner]

    def _next_owner(self) -> Hashable:
        is_oldests = self._num_taken % 2 == 0
        return min(self._of_owner, key=lambda owner: self._rank(owner, is_oldests=is_oldests))

    def _rank(self, owner: Hashable, *, is_oldests: bool) -> tuple[int, int]:
        own = self._of_owner[owner]
        return 0 if is_oldests else len(own), own[0][0]
