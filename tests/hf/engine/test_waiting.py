"""Owners take turns: nobody waits for all of somebody else's."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.hf.engine.waiting import Waiting


class One(NamedTuple):
    """owner: whose it is. number: of its coming."""

    owner: int
    number: int


class SlowTurns:
    """The twin: who waits, in the order of coming, and owners in the order of their turns."""

    def __init__(self) -> None:
        self.waiting: list[One] = []
        self.turns: list[int] = []

    def add(self, one: One) -> None:
        self.waiting.append(one)
        if one.owner not in self.turns:
            self.turns.append(one.owner)

    def remove(self, one: One) -> None:
        self.waiting.remove(one)
        self.turns = [owner for owner in self.turns if any(owner == other.owner for other in self.waiting)]

    def take(self) -> One:
        one = next(one for one in self.waiting if one.owner == self.turns[0])
        self.turns.append(self.turns.pop(0))
        self.remove(one)
        return one


@given(owners=st.lists(st.integers(0, 3), max_size=30), data=st.data())
def test_nobody_waits_for_more_of_another_owner_than_it_has_before_it_of_its_own(
    owners: list[int], data: st.DataObject
) -> None:
    waiting, slow = Waiting[One](), SlowTurns()
    before: dict[One, int] = {}  # of its own owner, when it came
    taken_since: dict[One, list[int]] = {}
    for number, owner in enumerate(owners):
        one = One(owner, number)
        before[one], taken_since[one] = sum(owner == other.owner for other in slow.waiting), []
        waiting.add(one, owner)
        slow.add(one)
        for _ in range(data.draw(st.integers(0, 2))):
            if slow.waiting and data.draw(st.booleans()):
                gone = data.draw(st.sampled_from(slow.waiting))
                waiting.remove(gone)
                slow.remove(gone)
            elif slow.waiting:
                expected = waiting.next
                taken = waiting.take()
                assert expected == taken == slow.take()
                for other in set(range(4)) - {taken.owner}:
                    assert taken_since[taken].count(other) <= before[taken] + 1
                for each in slow.waiting:
                    taken_since[each].append(taken.owner)
        assert sorted(slow.waiting) == sorted(waiting)
        assert len(slow.waiting) == len(waiting)
        assert all(each in waiting for each in slow.waiting)


@given(num=st.integers(0, 20))
def test_whoever_has_an_owner_of_its_own_is_taken_in_the_order_of_coming(num: int) -> None:
    waiting = Waiting[int]()
    for each in range(num):
        waiting.add(each, each)
    assert list(range(num)) == [waiting.take() for _ in range(num)]
