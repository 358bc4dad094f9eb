"""A single request does not wait for all requests of another owner, and none waits forever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.hf.engine.waiting import WaitingQueue


@dataclass(eq=False)
class One:
    """One that waits, and how many were taken since it came."""

    owner: int
    num_before: int
    num_taken: int = 0


class SlowLine:
    """The twin: all that wait, in the order of their coming."""

    def __init__(self) -> None:
        self.waiting: list[One] = []
        self.is_oldests = True

    def take(self) -> One:
        fewest = min(self.num_of(one.owner) for one in self.waiting)
        owners = [one.owner for one in self.waiting if self.is_oldests or self.num_of(one.owner) == fewest]
        taken = next(one for one in self.waiting if one.owner == owners[0])
        self.waiting.remove(taken)
        self.is_oldests = not self.is_oldests
        return taken

    def num_of(self, owner: int) -> int:
        return [one.owner for one in self.waiting].count(owner)


@given(owners=st.lists(st.integers(0, 4), max_size=30), data=st.data())
def test_any_one_waits_for_at_most_twice_as_many_as_came_before_and_one_more(
    owners: list[int], data: st.DataObject
) -> None:
    line, slow = WaitingQueue[One](), SlowLine()
    for owner in owners:
        one = One(owner, len(slow.waiting))
        line.add(one, owner)
        slow.waiting.append(one)
        for _ in range(data.draw(st.integers(0, 2))):
            if slow.waiting and not data.draw(st.integers(0, 4)):
                gone = data.draw(st.sampled_from(slow.waiting))
                line.remove(gone)
                slow.waiting.remove(gone)
            elif slow.waiting:
                expected, following = slow.take(), line.next
                assert expected is following
                assert expected is line.take()
                assert expected.num_taken <= 2 * expected.num_before + 1
                for each in slow.waiting:
                    each.num_taken += 1
        assert len(slow.waiting) == len(line)
        assert set(slow.waiting) == set(line)


@given(sizes=st.lists(st.just(3), max_size=6) | st.lists(st.just(1), max_size=9))
def test_of_owners_with_equally_many_the_older_is_complete_before_the_next_begins(sizes: list[int]) -> None:
    line = WaitingQueue[tuple[int, int]]()
    everyone = [(owner, number) for owner, size in enumerate(sizes) for number in range(size)]
    for one in everyone:
        line.add(one, one[0])
    assert everyone == [line.take() for _ in everyone]
