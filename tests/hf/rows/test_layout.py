"""A tree is laid out so that its surest path is a run, and walks over the layout equal walks over the tree."""

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import commit_tree
from ngramspec.drafting import ROOT, Draft, Tree
from ngramspec.hf.rows.layout import Layout, layout_of
from tests.decoding.test_commit import AskedAlong
from tests.drafting.test_suffix_index import tokens_of
from tests.drafting.test_tree import paths_of, tree_of, trees

BRANCHING = trees().map(layout_of).filter(lambda layout: layout is not None)


@given(trees())
def test_a_draft_is_laid_out_only_if_it_branches(tree: Tree) -> None:
    parents = tree.parents.tolist()
    has_branches = len({*parents}) < len(parents)
    assert has_branches == (layout_of(tree) is not None)
    assert layout_of(Draft(tree.tokens)) is None


@given(trees())
def test_a_layout_has_the_nodes_of_its_tree_each_after_the_node_that_it_follows(tree: Tree) -> None:
    layout = layout_of(tree)
    if layout is None:
        return
    pairs = zip(paths_of(tree), tree.survival.tolist(), strict=True)
    assert sorted(pairs) == sorted(zip(paths_of(layout.tree), layout.tree.survival.tolist(), strict=True))
    assert [len(path) - 1 for path in paths_of(layout.tree)] == layout.depths
    assert [path[-1] for path in paths_of(layout.tree)] == layout.tokens
    assert paths_of(layout.tree) == [(*layout.path_to(node),) for node in range(len(layout.tokens))]
    assert all(parent < node for node, parent in enumerate(layout.tree.parents.tolist()))


@given(trees())
def test_the_first_columns_are_the_surest_path(tree: Tree) -> None:
    layout = layout_of(tree)
    if layout is None:
        return
    surest, node = [], ROOT
    while children := [child for child, parent in enumerate(tree.parents.tolist()) if parent == node]:
        node = children[0]
        surest.append(tree.tokens.item(node))
    assert surest == layout.surest == layout.tokens[: len(surest)]
    assert [*range(len(surest))] == layout.depths[: len(surest)]


@given(BRANCHING, st.data())
def test_what_was_chosen_everywhere_is_walked_as_it_is_asked_for(layout: Layout, data: st.DataObject) -> None:
    chosen = [data.draw(st.integers(0, 2)) for _ in range(len(layout.tokens) + 1)]

    class Everywhere(AskedAlong):
        def after(self, node: int) -> int | None:
            return chosen[node + 1]

    asked = Everywhere(layout.tree, [], end=9)
    commit_tree(asked)
    assert asked.row.emitted == layout.walked(chosen)
    path = layout.path(asked.row.emitted[:-1])
    assert asked.row.emitted[:-1] == [layout.tokens[node] for node in path]
    assert [ROOT, *path][: len(path)] == [layout.tree.parents.item(node) for node in path]


def test_the_picture_in_the_module() -> None:
    tree = tree_of([4, 5, 6, 7, 5, 8], [ROOT, 0, 1, ROOT, 3, 0])
    layout = layout_of(tree)
    assert layout is not None
    assert [4, 5, 6, 8, 7, 5] == layout.tokens
    assert [0, 1, 2, 1, 0, 1] == layout.depths
    assert tokens_of([ROOT, 0, 1, 0, ROOT, 4]).tolist() == layout.tree.parents.tolist()
