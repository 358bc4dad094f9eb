"""The rule of acceptance, held against the rule as one would say it."""

from collections.abc import Sequence as Rows

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import Row, commit, commit_settled
from ngramspec.drafting import NoDrafts

TOKENS = st.lists(st.integers(0, 2), max_size=5)


class Asked:
    """Rows that move together: what each would choose at each position, and the positions that were asked for.

    end: the token with which a row ends. stuck: the position at which no token can be chosen.
    """

    def __init__(self, drafts: list[list[int]], chosen: list[list[int]], end: int, stuck: int | None = None) -> None:
        self.rows = [Row(NoDrafts().open(), [9], remaining=99) for _ in drafts]
        self.drafts = drafts
        self.positions: list[int] = []
        self._chosen, self._end, self._stuck = chosen, end, stuck

    def at(self, position: int) -> Rows[int | None]:
        self.positions.append(position)
        return [None if position == self._stuck else tokens[position] for tokens in self._chosen]

    def end_rows(self) -> bool:
        for row in self.rows:
            row.ended = row.ended or row.emitted[-1] == self._end
        return any(row.ended for row in self.rows)


def by_the_rule(drafts: list[list[int]], chosen: list[list[int]], end: int) -> int:
    """Positions that are chosen, as one would say it: up to the first at which some row leaves its draft, or ends."""
    for position in range(min(map(len, drafts))):
        tokens = [row[position] for row in chosen]
        if end in tokens or any(token != draft[position] for token, draft in zip(tokens, drafts, strict=True)):
            return position + 1
    return min(map(len, drafts)) + 1


@given(drafts=st.lists(TOKENS, min_size=1, max_size=3), end=st.integers(1, 3), data=st.data())
def test_any_rows_are_committed_by_the_rule(drafts: list[list[int]], end: int, data: st.DataObject) -> None:
    chosen = [
        [data.draw(st.sampled_from([token, token, token, 0, 1])) for token in [*draft, *[0] * 6]] for draft in drafts
    ]
    asked = Asked(drafts, chosen, end)
    commit(asked)
    length = by_the_rule(drafts, chosen, end)
    assert list(range(length)) == asked.positions  # each once, in order, and none beyond
    assert [tokens[:length] for tokens in chosen] == [row.emitted for row in asked.rows]


@given(drafts=st.lists(TOKENS, min_size=1, max_size=3), data=st.data())
def test_settled_rows_have_the_tokens_that_they_have_when_each_position_is_asked_for(
    drafts: list[list[int]], data: st.DataObject
) -> None:
    chosen = [[data.draw(st.sampled_from([token, token, 0, 1])) for token in [*draft, 0]] for draft in drafts]
    alone = [Asked([draft], [tokens], end=9) for draft, tokens in zip(drafts, chosen, strict=True)]
    for asked in alone:
        commit(asked)
    rows = [Row(NoDrafts().open(), [9], remaining=99) for _ in drafts]
    commit_settled(zip(rows, drafts, chosen, strict=True))
    assert [asked.rows[0].emitted for asked in alone] == [row.emitted for row in rows]
    assert [asked.rows[0].remaining for asked in alone] == [row.remaining for row in rows]


def test_where_no_token_can_be_chosen_the_pass_ends() -> None:
    asked = Asked([[1, 1, 1]], [[1, 1, 1, 1]], end=2, stuck=2)
    commit(asked)
    assert [1, 1] == asked.rows[0].emitted
    assert [0, 1, 2] == asked.positions
