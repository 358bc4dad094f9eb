"""The acceptance rule, compared with its plain definition."""

from collections.abc import Sequence as Rows

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import Row, commit, commit_settled, commit_tree
from ngramspec.drafting import ROOT, NoDrafts, Tree
from tests.drafting.test_suffix_index import tokens_of
from tests.drafting.test_tree import paths_of, tree_of, trees

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


class AskedAlong:
    """A row with a tree: what it would choose token by token, and the nodes after which it was asked.

    end: the token with which it ends. stuck: the number of the choice that cannot be made.
    """

    def __init__(self, tree: Tree, chosen: list[int], end: int, stuck: int | None = None) -> None:
        self.row, self.tree = Row(NoDrafts().open(), [9], remaining=99), tree
        self.nodes: list[int] = []
        self._chosen, self._end, self._stuck = chosen, end, stuck

    def after(self, node: int) -> int | None:
        self.nodes.append(node)
        number = len(self.nodes) - 1
        return None if number == self._stuck else self._chosen[number]

    def end_row(self) -> bool:
        self.row.ended = self.row.emitted[-1] == self._end
        return self.row.ended


@given(trees(), st.lists(st.integers(0, 2), min_size=9, max_size=9), st.integers(1, 3))
def test_any_tree_is_walked_to_the_child_that_was_chosen(tree: Tree, chosen: list[int], end: int) -> None:
    asked = AskedAlong(tree, chosen, end)
    commit_tree(asked)
    paths = dict(zip([(), *paths_of(tree)], range(ROOT, tree.tokens.size), strict=True))
    emitted = next(n for n in range(1, 10) if chosen[n - 1] == end or tuple(chosen[:n]) not in paths)
    assert chosen[:emitted] == asked.row.emitted
    assert [paths[tuple(chosen[:number])] for number in range(emitted)] == asked.nodes


@given(TOKENS, st.integers(1, 3), st.sampled_from([None, 0, 1, 2]), st.data())
def test_a_tree_without_branches_is_committed_as_the_chain(
    draft: list[int], end: int, stuck: int | None, data: st.DataObject
) -> None:
    chosen = [data.draw(st.sampled_from([token, token, token, 0, 1])) for token in [*draft, *[0] * 6]]
    chain = Asked([draft], [chosen], end, stuck)
    tree = AskedAlong(tree_of(draft, range(ROOT, len(draft) - 1)), chosen, end, stuck)
    commit(chain)
    commit_tree(tree)
    assert chain.rows[0].emitted == tree.row.emitted
    assert chain.rows[0].remaining == tree.row.remaining
    assert [position - 1 for position in chain.positions] == tree.nodes


@given(trees(), st.lists(st.integers(0, 2), min_size=1, max_size=9))
def test_a_row_counts_the_nodes_of_a_tree_that_were_walked_over_as_accepted(tree: Tree, chosen: list[int]) -> None:
    asked = AskedAlong(tree, [*chosen, *[3] * 9], end=9)
    commit_tree(asked)
    row, emitted = asked.row, [*asked.row.emitted]
    row.follow(tree, tokens_of(emitted), 0)
    assert (tree.tokens.size, len(emitted) - 1) == (
        row.counters.num_draft_tokens,
        row.counters.num_accepted_tokens,
    )
