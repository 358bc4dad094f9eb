"""A tree is the chain with branches: the surest nodes, and never more of them than requested."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.drafting import ROOT, AdaptiveLookup, Tree
from ngramspec.drafting.core.plain import Row, SuffixIndex, Survival
from ngramspec.drafting.core.plain.mixer import Mixer
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR
from ngramspec.drafting.core.plain.tree import _GROWS as GROWS
from ngramspec.drafting.core.plain.tree import _LEAST_NEAR as LEAST_NEAR
from ngramspec.drafting.core.plain.tree import _MOST_NEAR as MOST_NEAR
from ngramspec.drafting.core.plain.tree import _SURE as SURE
from ngramspec.drafting.core.plain.tree import Branches
from tests.drafting.test_chain import GRAMMARS, Grammar
from tests.drafting.test_suffix_index import index_of, tokens_of

SHORT = st.lists(st.integers(0, 3), max_size=25)
LEASTS = st.sampled_from([0.02, 0.1, 0.5])


def tree_of(tokens: Sequence[int], parents: Sequence[int]) -> Tree:
    survival = np.linspace(0.9, 0.1, len(tokens))
    return Tree(tokens_of([*tokens]), survival, parents=tokens_of([*parents]))


def paths_of(tree: Tree) -> list[tuple[int, ...]]:
    """By node: the tokens from the root to it."""
    paths: list[tuple[int, ...]] = []
    for token, parent in zip(tree.tokens.tolist(), tree.parents.tolist(), strict=True):
        paths.append((*(() if parent == ROOT else paths[parent]), token))
    return paths


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree in which siblings differ."""
    edges: list[tuple[int, int]] = []
    for node in range(draw(st.integers(0, 8))):
        edge = draw(st.tuples(st.integers(ROOT, node - 1), st.integers(0, 2)))
        if edge in edges:
            break
        edges.append(edge)
    return tree_of([token for _, token in edges], [parent for parent, _ in edges])


@given(trees(), st.lists(st.integers(0, 2), max_size=6))
def test_of_any_tokens_those_are_accepted_that_are_a_path_of_the_tree(tree: Tree, chosen: list[int]) -> None:
    paths = {(), *paths_of(tree)}
    expected = next(length for length in reversed(range(len(chosen) + 1)) if tuple(chosen[:length]) in paths)
    assert expected == tree.num_accepted(chosen)


@given(trees(), st.integers(0, 9))
def test_each_head_of_a_tree_is_a_tree(tree: Tree, length: int) -> None:
    head = tree.head(length)
    assert paths_of(tree)[:length] == paths_of(head)
    assert tree.survival[:length].tolist() == head.survival.tolist()
    assert (head.parents < np.arange(head.tokens.size)).all()


def rows(text: list[int], history: list[int], answer: list[int]) -> list[Row]:
    """Two rows with the same text, and what they have learnt of it apart."""
    made = [Row(Survival(), index_of([SEPARATOR, *history])) for _ in range(2)]
    for row in made:
        row.begin(tokens_of(text), -1)
        for token in answer:
            row.propose(4, 0.0)
            row.extend(tokens_of([token]))
    return made


@given(text=SHORT, history=SHORT, answer=SHORT, least=st.sampled_from([0.02, 0.1]))
@settings(deadline=None)
def test_the_chain_is_in_the_tree_as_far_as_it_is_sure_enough(
    text: list[int], history: list[int], answer: list[int], least: float
) -> None:
    _, row = rows(text, history, answer)
    tree = row.propose_tree(10_000, least)
    chain = row._chain.choices
    nodes = row._branches._grown.path(chain)
    if len(nodes) <= len(chain):  # the chain goes on, the tree does not
        left_out = chain[len(nodes) - 1]
        estimates = row._branches._grown.estimates.get(nodes[-1])
        if estimates is None:
            assert tree.survival[nodes[-1]] < least * GROWS
            return
        chances = {each.token: each.chance / max(1.0, sum(one.chance for one in estimates)) for each in estimates}
        survival = 1.0 if nodes[-1] == ROOT else tree.survival.item(nodes[-1])
        assert survival * chances[left_out] < least


@given(length=st.integers(5, 12), rounds=st.integers(2, 4), most=st.integers(0, 30), learnt=st.integers(0, 20))
@settings(deadline=None)
def test_a_tree_without_branches_is_the_chain_to_the_token(length: int, rounds: int, most: int, learnt: int) -> None:
    text = [*range(length)] * rounds  # after each token there came one other only
    alone, row = rows(text, [], (text * 2)[:learnt])
    chain, tree = alone.propose(most, 0.0), row.propose_tree(most, 0.0)
    assert chain.tokens.tolist() == tree.tokens.tolist()
    assert most == tree.tokens.size
    assert [*range(ROOT, most - 1)] == tree.parents.tolist()


@given(
    text=SHORT, history=SHORT, answer=SHORT, most=st.integers(0, 40), least=LEASTS, grammar=st.none() | GRAMMARS
)  # fmt: skip
@example(text=[0, 1, 0, 2, 0, 3, 0], history=[0, 1, 0, 2], answer=[], most=40, least=0.02, grammar=None)
@settings(deadline=None)
def test_any_tree_is_sound(
    text: list[int], history: list[int], answer: list[int], most: int, least: float, grammar: Grammar | None
) -> None:
    _, row = rows(text, history, answer)
    tree = row.propose_tree(most, least, grammar)
    assert tree.tokens.size <= most
    survival, parents = tree.survival.tolist(), tree.parents.tolist()
    assert sorted(survival, reverse=True) == survival
    assert all(each >= least for each in survival)
    assert len({*paths_of(tree)}) == len(survival)  # siblings differ
    for node in range(ROOT, len(survival)):
        children = [each for each, parent in zip(survival, parents, strict=True) if parent == node]
        assert sum(children) <= (1.0 if node == ROOT else survival[node]) + 1e-9
        assert all(parent < number for number, parent in enumerate(parents))


@given(text=SHORT, history=SHORT, answer=SHORT, most=st.integers(0, 40))
@settings(deadline=None)
def test_where_nothing_is_too_unsure_the_surest_path_is_the_chain(
    text: list[int], history: list[int], answer: list[int], most: int
) -> None:
    row, _ = rows(text, history, answer)
    draft = row.propose(most, 0.0)
    assert row._chain.choices[:most] == draft.tokens.tolist()
    assert row._chain.survivals == draft.survival.tolist()
    assert not draft.is_unsure


@given(text=SHORT, history=SHORT, answer=SHORT, most=st.integers(1, 40), least=LEASTS)
@settings(deadline=None)
def test_a_path_goes_on_to_the_surest_token_near_the_threshold_and_to_the_chains_elsewhere(
    text: list[int], history: list[int], answer: list[int], most: int, least: float
) -> None:
    row, _ = rows(text, history, answer)
    draft, grown, offers = row.propose(most, least), row._branches._grown, row._chain.offers()
    assert draft.tokens.size <= most
    assert all(each >= least for each in draft.survival)
    survival, is_trunk = 1.0, True
    for position, token in enumerate(draft.tokens.tolist()):
        offered = offers[position] if is_trunk else {}
        far = 1.0
        if offered:
            drafted, far = next(iter(offered.items()))
        is_near = LEAST_NEAR * least <= survival * far <= MOST_NEAR * least
        if offered and (far > SURE or not is_near):
            assert drafted == token
            survival *= far
        else:
            estimates = grown.estimates[position - 1]
            surest = max(estimates, key=lambda each: each.chance)
            assert surest.token == token
            survival *= surest.chance / max(1.0, sum(each.chance for each in estimates))
            is_trunk = is_trunk and drafted == token
        assert survival == pytest.approx(draft.survival.item(position))


@given(text=SHORT, history=SHORT, answer=SHORT, least=LEASTS, grammar=GRAMMARS)
@settings(deadline=None)
def test_a_steered_chain_is_in_its_tree_as_it_is_and_beside_it_nothing_that_it_was_refused(
    text: list[int], history: list[int], answer: list[int], least: float, grammar: Grammar
) -> None:
    alone, row = rows(text, history, answer)
    chain, tree = alone.propose(40, least, deepcopy(grammar)), row.propose_tree(10_000, least, grammar)
    nodes = row._branches._grown.path(chain.tokens.tolist())
    assert chain.survival[: len(nodes) - 1].tolist() == [tree.survival.item(node) for node in nodes[1:]]
    if len(nodes) <= chain.tokens.size:  # no node follows one that is hardly sure enough
        assert len(nodes) > 1
        assert tree.survival[nodes[-1]] < least * GROWS
    for node, offers in zip(nodes, row._chain.offers(), strict=False):
        refused = {token for token, chance in offers.items() if chance > next(iter(offers.values()))}
        assert not refused & {*tree.tokens[tree.parents == node].tolist()}


@given(text=SHORT, history=SHORT, most=st.integers(1, 12))
@settings(deadline=None)
def test_no_other_nodes_are_surer_than_those_of_the_tree(text: list[int], history: list[int], most: int) -> None:
    own, past, mixer = index_of(text), index_of([SEPARATOR, *history]), Mixer()
    all_of_them = Branches(own, past, mixer).grow([SEPARATOR], [], 10_000, 0.05)
    some = Branches(own, past, mixer).grow([SEPARATOR], [], most, 0.05)
    assert sorted(all_of_them.survivals, reverse=True)[:most] == some.survivals
    chances: dict[int, dict[int, float]] = {}
    for node in range(ROOT, len(all_of_them.tokens)):
        estimates = all_of_them.estimates.get(node, [])
        total = max(1.0, sum(each.chance for each in estimates))
        chances[node] = {each.token: each.chance / total for each in estimates}
    survivals = {ROOT: 1.0} | dict(enumerate(all_of_them.survivals))
    expected = {
        (node, token): survivals[node] * chance
        for node, offered in chances.items()
        for token, chance in offered.items()
        if survivals[node] * chance >= 0.05
    }
    edges = zip(all_of_them.parents, all_of_them.tokens, strict=True)
    assert expected == pytest.approx(dict(zip(edges, all_of_them.survivals, strict=True)))


def test_beside_the_chain_stands_what_else_came() -> None:
    _, row = rows([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], [], [])
    tree = row.propose_tree(10, 0.001)
    assert isinstance(tree, Tree)
    first = tree.tokens[tree.parents == ROOT].tolist()
    assert {4, 5} == {*first}


def test_a_row_learns_from_what_is_committed_whether_it_was_in_a_tree_or_not() -> None:
    text = [1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]

    def survival_of_four(times: int) -> float:
        survival = Survival()
        for _ in range(times):
            row = Row(survival, SuffixIndex())
            row.begin(tokens_of(text), -1)
            row.propose_tree(0, 0.0)
            row.propose_tree(2, 0.001)
            row.extend(tokens_of([4, 1]))
        row = Row(survival, SuffixIndex())
        row.begin(tokens_of(text), -1)
        tree = row.propose_tree(10, 0.0001)
        assert isinstance(tree, Tree)
        return float(tree.survival[paths_of(tree).index((4,))])

    assert survival_of_four(0) < survival_of_four(20)


def test_a_session_drafts_a_tree() -> None:
    session = AdaptiveLookup().open("segment")
    session.extend(tokens_of([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]))
    draft = session.propose_tree(5, 0.001)
    assert isinstance(draft, Tree)
    assert 0 < draft.tokens.size <= 5


def test_where_nothing_is_weighed_a_session_drafts_the_chain_whatever_others_have_taught() -> None:
    drafter = AdaptiveLookup()
    text = tokens_of([1, 2, 3, 1, 2, 4, 1, 2])
    first, other, later = (drafter.open(segment) for segment in ("a", "b", "a"))
    first.extend(text)
    before = first.propose(8)
    for _ in range(20):
        other.extend(tokens_of([1, 2, 4]))
        other.propose_tree(8, 0.01)
    later.extend(text)
    drafts = [later.propose_tree(8), *drafter.propose_trees([later], [8])]
    assert [before.tokens.tolist()] * 2 == [draft.tokens.tolist() for draft in drafts]
    assert not any(isinstance(draft, Tree) for draft in drafts)
