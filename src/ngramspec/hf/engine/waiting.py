"""The line of those that wait for room, in which short requests are not held up by the samples of a long one."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """Gives room to the oldest and to the owner with the fewest waiting by turns; of two such owners, to the older one.

    So a single request hardly waits for all samples of somebody else's, and those are not taken apart by each other, as
    they would be by round robin: of equally many the older ones are complete first. Nobody waits for ever: each of n
    that came before takes one turn of the oldest, which is every second one.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._of_owner: dict[Hashable, deque[tuple[int, T]]] = {}  # each with the number of its coming
        self._num_come = self._num_taken = 0

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(own) for own in self._of_owner.values())

    def __iter__(self) -> Iterator[T]:
        """All that wait, owner by owner."""
        return (each for own in self._of_owner.values() for _, each in own)

    @property
    def next(self) -> T:
        """Whose turn it is, while somebody waits."""
        return self._of_owner[self._next_owner()][0][1]

    def add(self, each: T, owner: Hashable) -> None:
        """Let `each` wait after those of the same owner."""
        self._of_owner.setdefault(owner, deque()).append((self._num_come, each))
        self._num_come += 1

    def take(self) -> T:
        """Take out whose turn it is."""
        taken = self.next
        self.remove(taken)
        self._num_taken += 1
        return taken

    def remove(self, each: T) -> None:
        """Take out `each`, which waits."""
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
