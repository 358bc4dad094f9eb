"""The compiled core against the plain one: the same drafts, survivals and weights, to the last bit."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngramspec.drafting import ROOT, Draft, Tree
from ngramspec.drafting.core import plain
from tests.drafting.test_chain import GRAMMARS, Grammar
from tests.drafting.test_suffix_index import HIGHEST, texts, tokens_of

compiled = pytest.importorskip("ngramspec.drafting.core._native", reason="the compiled core is not installed")

VOCABULARY = [b"a", b"b", b"ab", b"ba", b"", b"aba", b" ab", b"abababababab"]


class RefusalError(Exception):
    """What a failing grammar raises."""


class FailingGrammar(Grammar):
    """Raises when it is asked for the third time."""

    def push(self, token: int) -> bool:
        if len(self.pushed) == 2:
            raise RefusalError
        return super().push(token)


class Cores:
    """The same calls to both cores, each of which must be answered alike."""

    def __init__(self, *, knows_nothing: bool) -> None:
        self.cores: Sequence[Any] = (plain, compiled)
        self.survivals = [core.Survival(knows_nothing=knows_nothing) for core in self.cores]
        self.vocabularies = [core.TokenBytes(VOCABULARY) for core in self.cores]
        self.rows: list[list[Any]] = []
        self.begin_history([])

    def begin_history(self, text: list[int]) -> None:
        """A new one, which rows read that begin later."""
        self.histories = [core.SuffixIndex() for core in self.cores]
        self.extend_history(text)

    def extend_history(self, text: list[int]) -> None:
        for history in self.histories:
            history.extend(tokens_of(text))

    def open(self, references: list[list[int]], prompt: list[int], likely_start: int, is_spelled: bool) -> None:
        texts = [tokens_of(reference) for reference in references]
        pair = [
            core.Row(survival, history, texts, vocabulary if is_spelled else None)
            for core, survival, history, vocabulary in zip(
                self.cores, self.survivals, self.histories, self.vocabularies, strict=True
            )
        ]
        for row in pair:
            row.begin(tokens_of(prompt), likely_start)
        self.rows.append(pair)

    def propose(self, number: int, most: int, least: float, grammar: Grammar | None) -> Draft | None:
        """Of one row; None where the grammar fails."""
        found = self._steered(number, "propose", most, least, grammar)
        return None if found is None else same(*found)

    def _steered(self, number: int, name: str, most: int, least: float, grammar: Grammar | None) -> list[Any] | None:
        """What both cores draft; None where the grammar fails."""
        grammars = [deepcopy(grammar) for _ in self.cores]
        found = []
        for row, steering in zip(self.rows[number], grammars, strict=True):
            try:
                found.append(getattr(row, name)(most, least, steering))
            except RefusalError:
                found.append(None)
        if grammar is not None:
            assert grammars[0] == grammars[1]
        if None in found:
            assert [None, None] == found
            return None
        return found

    def propose_all(self, most: list[int], least: float) -> list[Draft]:
        rows, count = zip(*self.rows, strict=True), len(self.rows)
        most = [most[number % len(most)] for number in range(count)]
        found = [core.propose_all(each, most, least) for core, each in zip(self.cores, rows, strict=True)]
        return [same(*pair) for pair in zip(*found, strict=True)]

    def propose_tree(self, number: int, most: int, least: float, grammar: Grammar | None = None) -> Tree | None:
        """Of one row; None where the grammar fails."""
        found = self._steered(number, "propose_tree", most, least, grammar)
        return None if found is None else same_tree(*found)

    def propose_trees(self, most: list[int], least: float) -> list[Tree]:
        rows, count = zip(*self.rows, strict=True), len(self.rows)
        most = [most[number % len(most)] for number in range(count)]
        found = [core.propose_trees(each, most, least) for core, each in zip(self.cores, rows, strict=True)]
        return [same_tree(*pair) for pair in zip(*found, strict=True)]

    def commit(self, number: int, tokens: list[int], said: int = 0) -> None:
        """said: the seed of what the model held for likely; 0 if it is not known."""
        likely = likely_of(said, len(tokens)) if said else None
        for row in self.rows[number]:
            row.extend(tokens_of(tokens), likely)

    def check(self) -> None:
        """What was learnt and kept is the same, too."""
        assert len({survival.parameters().tobytes() for survival in self.survivals}) == 1
        assert len({survival.mixing().tobytes() for survival in self.survivals}) == 1
        assert len({history.text.tobytes() for history in self.histories}) == 1
        for pair in self.rows:
            assert len({row.answer.tobytes() for row in pair}) == 1


def same(first: Draft, second: Draft) -> Draft:
    """Either, if they are equal to the last bit."""
    assert first.tokens.tolist() == second.tokens.tolist()
    assert first.survival.tobytes() == second.survival.tobytes()
    assert first.is_unsure == second.is_unsure
    assert [first.tokens.dtype, first.survival.dtype] == [second.tokens.dtype, second.survival.dtype]
    return first


def same_tree(first: Tree, second: Tree) -> Tree:
    assert first.parents.tolist() == second.parents.tolist()
    assert first.parents.dtype == second.parents.dtype
    same(first, second)
    return first


def likely_of(seed: int, count: int) -> npt.NDArray[np.int32]:
    """Of so many tokens what the model held for likely: up to four tokens each."""
    dice = np.random.default_rng(seed)
    numbers = dice.integers(0, 8, (count, 4)) << 4 | dice.integers(0, 10, (count, 4))
    numbers[np.arange(4) >= dice.integers(0, 5, (count, 1))] = -1
    return numbers.astype(np.int32)


def path_of(tree: Tree, turns: list[int]) -> list[int]:
    """The tokens from the root on, by which child is taken at each node."""
    tokens, node = [], ROOT
    for turn in turns:
        children = np.flatnonzero(tree.parents == node)
        if not children.size:
            break
        node = int(children[turn % children.size])
        tokens.append(tree.tokens.item(node))
    return tokens


MOST = st.sampled_from([-1, 0, 1, 2, 10, 48, 96])
LEAST = st.sampled_from([0.0, 0.01, 0.1, 0.4, 0.8]) | st.floats(0, 1)
SAID = st.integers(0, 5)
TURNS = st.lists(st.integers(0, 3), max_size=12)
FAILING = GRAMMARS.map(lambda made: FailingGrammar(made.refused, made.foresight, made.forcing))
STEERINGS = st.none() | GRAMMARS | FAILING
STEPS = st.one_of(
    st.tuples(st.just("open"), st.lists(texts(), max_size=2), texts(), st.integers(-1, 300), st.booleans()),
    st.tuples(st.just("keep"), texts()),
    st.tuples(st.just("rebuild"), texts()),
    *[st.tuples(st.just("step"), st.integers(0, 9), MOST, LEAST, STEERINGS, st.integers(0, 9), texts(), SAID)] * 3,
    *[
        st.tuples(
            st.just("all"), st.lists(MOST, min_size=1, max_size=4), LEAST, st.integers(0, 9), st.integers(0, 3), SAID
        )
    ]
    * 2,
    *[st.tuples(st.just("tree"), st.integers(0, 9), MOST, LEAST, STEERINGS, TURNS, texts(), SAID)] * 3,
    *[st.tuples(st.just("trees"), st.lists(MOST, min_size=1, max_size=4), LEAST, TURNS, st.integers(0, 3), SAID)] * 2,
)


@given(first=texts(), steps=st.lists(STEPS, max_size=20), knows_nothing=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
def test_any_rows_and_histories_are_drafted_for_alike(
    first: list[int], steps: list[tuple[Any, ...]], knows_nothing: bool
) -> None:
    cores = Cores(knows_nothing=knows_nothing)
    cores.open([], first, -1, True)

    def step(
        number: int, most: int, least: float, grammar: Grammar | None, right: int, surprise: list[int], said: int
    ) -> None:
        number %= len(cores.rows)
        draft = cores.propose(number, most, least, grammar)
        head = [] if draft is None else draft.tokens[:right].tolist()
        cores.commit(number, [*head, *surprise[:40]], said)

    def all_at_once(most: list[int], least: float, right: int, bonus: int, said: int) -> None:
        for number, draft in enumerate(cores.propose_all(most, least)):
            cores.commit(number, [*draft.tokens[:right].tolist(), bonus], said)

    def tree(
        number: int,
        most: int,
        least: float,
        grammar: Grammar | None,
        turns: list[int],
        surprise: list[int],
        said: int,
    ) -> None:
        number %= len(cores.rows)
        drafted = cores.propose_tree(number, most, least, grammar)
        cores.commit(number, [*([] if drafted is None else path_of(drafted, turns)), *surprise[:40]], said)

    def trees(most: list[int], least: float, turns: list[int], bonus: int, said: int) -> None:
        for number, drafted in enumerate(cores.propose_trees(most, least)):
            cores.commit(number, [*path_of(drafted, turns), bonus], said)

    calls: dict[str, Callable[..., None]] = {
        "open": cores.open,
        "keep": lambda text: cores.extend_history([HIGHEST, *text]),
        "rebuild": cores.begin_history,
        "step": step,
        "all": all_at_once,
        "tree": tree,
        "trees": trees,
    }
    for name, *arguments in steps:
        calls[name](*arguments)
    cores.check()


@given(
    text=texts(), cuts=st.lists(st.integers(0, 300), max_size=6), tails=st.lists(texts(), max_size=3),
    most=st.none() | st.integers(1, 300),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_an_index_finds_the_same_matches(
    text: list[int], cuts: list[int], tails: list[list[int]], most: int | None
) -> None:
    indices: list[Any] = [plain.SuffixIndex(), compiled.SuffixIndex()]
    for cut in [*sorted(cuts), len(text)]:
        for index in indices:
            index.extend(tokens_of(text[len(index) : cut]))
        assert len({index.latest_longest_match(most) for index in indices}) == 1
        assert len({tuple(index.read(cut - 9, cut + 2).tolist()) for index in indices}) == 1
        for tail in (text[:cut], *tails):
            assert len({index.find(tail[-50:]) for index in indices}) == 1
    assert text == indices[1].text.tolist()


def test_long_copies_of_long_texts_are_drafted_alike() -> None:
    dice = np.random.default_rng(0)
    cores = Cores(knows_nothing=False)
    text = dice.integers(0, 500, 6000).tolist()
    cores.extend_history([HIGHEST, *text[:3000]])
    cores.open([text[:300]], text, 1, False)
    longest = 0
    for start in dice.integers(0, 5000, 20).tolist():
        cores.commit(0, text[start : start + 5])
        for _ in range(6):
            draft = cores.propose(0, 96, 0.0, None)
            assert draft is not None
            longest = max(longest, draft.tokens.size)
            cores.commit(0, [*draft.tokens[: dice.integers(0, 60)].tolist(), int(dice.integers(0, 500))])
    cores.check()
    assert longest == 96


def test_trees_of_long_texts_that_teach_much_are_drafted_alike() -> None:
    dice = np.random.default_rng(0)
    cores = Cores(knows_nothing=False)
    text = (dice.integers(0, 12, 4000) ** 2).tolist()
    cores.extend_history([HIGHEST, *text[:2000]])
    cores.open([], text[2000:], 1, False)
    widest = 0
    for _ in range(150):
        tree = cores.propose_tree(0, 60, 0.005)
        assert tree is not None
        widest = max(widest, int((tree.parents == ROOT).sum()))
        start = int(dice.integers(0, 3900))
        path = path_of(tree, dice.integers(0, 2, 4).tolist())
        cores.commit(0, [*path, *text[start : start + 3]], int(dice.integers(0, 100)))
    assert widest > 4
    cores.check()


def test_trees_around_steered_chains_that_teach_much_are_drafted_alike() -> None:
    dice = np.random.default_rng(0)
    cores = Cores(knows_nothing=False)
    text = (dice.integers(0, 12, 4000) ** 2).tolist()
    cores.extend_history([HIGHEST, *text[:2000]])
    cores.open([], text[2000:], 1, True)
    num_beside = 0
    for _ in range(150):
        refused = frozenset(dice.choice(12, 3).tolist())
        foresight = {position: (int(dice.integers(0, 12)) ** 2, 1) for position in range(0, 20, 2)}
        tree = cores.propose_tree(0, 60, 0.005, Grammar(frozenset(each**2 for each in refused), foresight))
        assert tree is not None
        num_beside += int((tree.parents == ROOT).sum()) - 1
        start = int(dice.integers(0, 3900))
        cores.commit(0, [*path_of(tree, dice.integers(0, 2, 4).tolist()), *text[start : start + 3]])
    assert num_beside > 150
    cores.check()
