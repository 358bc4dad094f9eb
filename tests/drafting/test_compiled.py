"""The compiled core by itself: its interface, its numbers, what it refuses, and use by threads and forks."""

import ast
import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ngramspec
from ngramspec.drafting.core import plain
from tests.drafting.test_likely import noted
from tests.drafting.test_suffix_index import tokens_of
from tests.test_forking import child_ends_with

compiled = pytest.importorskip("ngramspec.drafting.core._native", reason="the compiled core is not installed")

ROOT = Path(__file__).parents[2]
CORE = Path(ngramspec.__file__).parent / "drafting" / "core"


def row_of(text: list[int], survival: Any = None, history: Any = None) -> Any:
    row = compiled.Row(survival or compiled.Survival(), history or compiled.SuffixIndex())
    row.begin(tokens_of(text), -1)
    return row


def test_it_was_compiled_from_the_sources_beside_these_tests() -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    assert hook.digest(ROOT / "native") == compiled.sources


@pytest.mark.parametrize(("module", "name"), compiled.constants)
def test_every_number_that_stands_in_both_cores_is_the_same(module: str, name: str) -> None:
    found = vars(importlib.import_module(f"{plain.__name__}.{module}"))
    assert found.get(name, found.get(f"_{name}")) == compiled.constants[module, name]


def stubs() -> Iterator[tuple[str | None, str]]:
    """Every name that the stub declares, with the class that it is in."""
    for node in ast.parse((CORE / "_native.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield None, node.name
        if isinstance(node, ast.ClassDef):
            yield None, node.name
            yield from ((node.name, each.name) for each in node.body if isinstance(each, ast.FunctionDef))


@pytest.mark.parametrize(("owner", "name"), [*stubs()])
def test_both_cores_have_every_name_that_is_declared(owner: str | None, name: str) -> None:
    for core in (plain, compiled):
        if name != "nbytes":  # which the plain one need not say: Python knows what it takes
            assert hasattr(core if owner is None else getattr(core, owner), name)


def test_lessons_survive_pickling_and_are_checked_before_they_are_taken_over() -> None:
    survival = compiled.Survival()
    again = pickle.loads(pickle.dumps(survival))
    assert [survival.parameters().tobytes(), survival.mixing().tobytes()] == [
        again.parameters().tobytes(),
        again.mixing().tobytes(),
    ]
    with pytest.raises(ValueError, match=r"parameters must be float64\[2, 1683\], got float64\[2, 3\]"):
        survival.take_over(np.zeros((2, 3)), survival.mixing())
    with pytest.raises(ValueError, match=r"mixing must be float64\[\d+\], got float64\[3\]"):
        survival.take_over(survival.parameters(), np.zeros(3))


@pytest.mark.parametrize("make", [compiled.SuffixIndex, lambda: row_of([1, 2, 3])], ids=["index", "row"])
def test_a_negative_id_is_refused_and_changes_nothing(make: Any) -> None:
    refused = make()
    with pytest.raises(ValueError, match="token ids must be >= 0, got -7"):
        refused.extend(tokens_of([4, -7, -1]))
    expected = make()
    for each in (refused, expected):
        each.extend(tokens_of([1, 2]))
    if isinstance(refused, compiled.SuffixIndex):
        assert expected.text.tolist() == refused.text.tolist()
    else:
        assert [1, 2] == refused.answer.tolist()
        assert [3, 1, 2, 3] == refused.propose(4, 0.0).tokens.tolist()


def test_a_text_that_positions_cannot_number_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "tokens").open("wb") as file:
        file.truncate(2**33)  # takes no space
    index = compiled.SuffixIndex()
    index.extend(tokens_of([5]))
    with pytest.raises(ValueError, match="a text must have at most 2147483647 tokens, got 2147483649"):
        index.extend(np.memmap(tmp_path / "tokens", np.int32, "r"))
    assert [5] == index.text.tolist()


@pytest.mark.parametrize(
    "tokens",
    [
        [1, 2, 3],
        np.array([1, 2, 3]),
        np.array([1, 0, 2, 0, 3], np.int32)[::2],
        np.array([[1], [2], [3]], np.int32)[:, 0],
    ],
    ids=["list", "int64", "every second", "a column"],
)
def test_tokens_in_any_array_are_taken_as_they_are(tokens: Any) -> None:
    index = compiled.SuffixIndex()
    index.extend(tokens)
    assert [1, 2, 3] == index.text.tolist()


@pytest.mark.parametrize("tokens", ["abc", None, [[1, 2], [3, 4]]])
def test_what_is_no_row_of_tokens_is_refused(tokens: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        compiled.SuffixIndex().extend(tokens)


class Asking:
    """A grammar that calls back while a draft is made."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def foreseen(self) -> Any:
        return self.call()

    def forced(self) -> None:
        return None

    def push(self, token: int) -> bool:
        return True


def test_a_row_is_not_to_be_used_while_its_grammar_is_asked() -> None:
    row = row_of([1, 2, 3, 1, 2])
    with pytest.raises(RuntimeError, match="a row must be used by one call at a time"):
        row.propose(4, 0.0, Asking(lambda: row.extend(tokens_of([3]))))
    row.extend(tokens_of([3]))
    assert [1, 2] == row.propose(2, 0.0).tokens.tolist()


def test_a_history_may_grow_while_a_grammar_is_asked() -> None:
    history = compiled.SuffixIndex()
    history.extend(tokens_of([9, 1, 2, 3]))
    row = row_of([7], history=history)
    row.extend(tokens_of([1]))
    grows = Asking(lambda: history.extend(np.zeros(5000, np.int32)))
    assert [2, 3] == row.propose(4, 0.0, grows).tokens.tolist()  # what it was when the draft began
    assert len(history) > 5000


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (7, TypeError),
        ((1,), IndexError),
        (("a", 1), TypeError),
        ((1, 64), ValueError),
        ((1, -1), ValueError),
        ((2**40, 1), OverflowError),
    ],
)
def test_what_a_grammar_may_not_foresee_is_refused(answer: Any, error: type[Exception]) -> None:
    row = row_of([1, 2, 3, 1, 2])
    with pytest.raises(error):
        row.propose(4, 0.0, Asking(lambda: answer))
    assert [3, 1] == row.propose(2, 0.0).tokens.tolist()


def test_one_row_is_drafted_for_once_at_a_time() -> None:
    row = row_of([1, 2, 3, 1, 2])
    for propose in (compiled.propose_all, compiled.propose_trees):
        with pytest.raises(RuntimeError, match="a row must be used by one call at a time"):
            propose([row, row], [1, 1], 0.0)
    assert [[3]] == [draft.tokens.tolist() for draft in compiled.propose_all([row], [1], 0.0)]


def test_a_million_equal_tokens_are_a_text_like_any_other() -> None:
    index = compiled.SuffixIndex()
    index.extend(np.full(1_000_000, 2**31 - 2, np.int32))
    for _ in range(1000):
        index.extend(tokens_of([2**31 - 2]))
    assert (64, 1_000_999) == index.latest_longest_match()


def test_rows_give_their_memory_back() -> None:
    """In a process of its own, for what is measured is the most that it ever took."""
    code = """
import resource
import numpy as np
from ngramspec.drafting.core._native import Row, SuffixIndex, Survival
text = np.arange(100_000, dtype=np.int32)
survival, history = Survival(), SuffixIndex()
for number in range(60):
    row = Row(survival, history)
    row.begin(text, -1)
    row.propose(10, 0.0)
    if number == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(row.nbytes * 57 // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    taken, grown = map(int, done.stdout.split())
    assert grown < taken / 4


LONGEST = 2000


@given(
    prompt=st.integers(0, LONGEST),
    steps=st.lists(st.tuples(st.integers(1, 300), st.booleans()), max_size=12),
)
@settings(deadline=None)
def test_what_is_noted_takes_a_bounded_number_of_bytes_for_each_token_from_the_first_noted_one_on(
    prompt: int, steps: list[tuple[int, bool]]
) -> None:
    survival, history, num_after = compiled.Survival(), compiled.SuffixIndex(), 0
    row, bare = (compiled.Row(survival, history) for _ in range(2))
    text = np.random.default_rng(prompt).integers(0, 1000, LONGEST, dtype=np.int32)
    for each in (row, bare):
        each.begin(text[:prompt], -1)
    for length, is_noted in steps:
        row.extend(text[:length], noted(text[:length].tolist()) if is_noted else None)
        bare.extend(text[:length])
        num_after += length if num_after or is_noted else 0
        assert row.nbytes - bare.nbytes <= 24 * num_after


def test_what_a_row_was_made_of_lives_as_long_as_it_does() -> None:
    survival, history, vocabulary = compiled.Survival(), compiled.SuffixIndex(), compiled.TokenBytes([b"ab", b"abab"])
    before = [sys.getrefcount(each) for each in (survival, history, vocabulary)]
    row = compiled.Row(survival, history, (), vocabulary)
    assert [count + 1 for count in before] == [sys.getrefcount(each) for each in (survival, history, vocabulary)]
    del row
    assert before == [sys.getrefcount(each) for each in (survival, history, vocabulary)]


@pytest.mark.parametrize("propose", [compiled.propose_all, compiled.propose_trees], ids=["chains", "trees"])
@pytest.mark.usefixtures("impatient_threads")
def test_rows_of_several_threads_read_a_history_that_grows(propose: Any) -> None:
    dice = np.random.default_rng(0)
    answers = [dice.integers(0, 40, 200).astype(np.int32) for _ in range(300)]
    history, survival, is_over = compiled.SuffixIndex(), compiled.Survival(), threading.Event()
    counts = [0, 0]

    def read(number: int) -> None:
        rows = [row_of([1, 2, 3], survival, history) for _ in range(8)]
        while not is_over.is_set():
            for row, draft in zip(rows, propose(rows, [48] * 8, 0.0), strict=True):
                row.extend(np.append(draft.tokens[:3], np.int32(counts[number] % 40)))
            counts[number] += 1

    threads = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while min(counts) < 3:
        pass
    for answer in answers:
        history.extend(answer)
    is_over.set()
    for thread in threads:
        thread.join()
    twin = plain.SuffixIndex()
    twin.extend(np.concatenate(answers))
    assert twin.text.tobytes() == history.text.tobytes()
    tails = [answer[:end].tolist() for answer in answers[::10] for end in range(1, 40, 7)]
    assert [twin.find(tail) for tail in tails] == [history.find(tail) for tail in tails]


@pytest.mark.parametrize("propose", [compiled.propose_all, compiled.propose_trees], ids=["chains", "trees"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_a_forked_child_may_extend_a_history_that_a_thread_was_reading(propose: Any) -> None:
    history, is_over = compiled.SuffixIndex(), threading.Event()
    history.extend(np.zeros(1000, np.int32))
    rows = [row_of([0] * 100, history=history) for _ in range(64)]
    rounds = [0]

    def read() -> None:
        while not is_over.is_set():
            propose(rows, [96] * len(rows), 0.0)
            rounds[0] += 1

    def extends() -> int:
        history.extend(tokens_of([1]))
        return len(history) - 1000

    thread = threading.Thread(target=read)
    thread.start()
    while not rounds[0]:
        pass
    try:
        for _ in range(20):  # until one comes while a row is reading
            assert 1 == child_ends_with(extends)
    finally:
        is_over.set()
        thread.join()
