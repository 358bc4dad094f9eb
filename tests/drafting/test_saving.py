"""Saved state is loaded unchanged, whenever the writer is killed, and nothing else is loaded."""

import os
import random
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, saving
from ngramspec.drafting.core.plain.mixer import NUM_KINDS
from ngramspec.drafting.sketch import sketch
from ngramspec.errors import HistoryError, NgramspecError
from ngramspec.files import whole_file
from tests.drafting.test_adaptive_lookup import first_draft, play
from tests.drafting.test_segments import rows
from tests.drafting.test_suffix_index import tokens_of
from tests.files.forging import parts_of, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


def taught() -> AdaptiveLookup:
    """A drafter that has something of everything."""
    drafter = AdaptiveLookup()
    drafter.refer("guide", [tokens_of([50, 51, 52, 53])])
    for number in range(5):
        play(
            drafter, list(range(100 * number, 100 * number + 40)), list(range(10 * number, 10 * number + 5)), "invoices"
        )
        play(drafter, [1, 2, 3], [1, 2, 3, 1, 2, 3])
    return drafter


@given(before=rows("a", "b", None), after=rows("a", "b", "c", None), reference=st.lists(st.integers(0, 2)))
@settings(max_examples=60, deadline=None)
def test_a_restart_changes_no_draft_and_no_survival(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, list[int], list[int]]],
    after: list[tuple[str, list[int], list[int]]],
    reference: list[int],
) -> None:
    path = tmp_path_factory.mktemp("saved") / "history"
    drafter = AdaptiveLookup()
    drafter.refer("b", [tokens_of(reference)])
    for segment, prompt, output in before:
        play(drafter, prompt, output, segment)
    drafter.save(path, "words")
    drafter.survival.take_over(
        drafter.survival.parameters(), drafter.survival.mixing()
    )  # so that it works out all probabilities anew, too
    restarted = AdaptiveLookup.load(path, "words")
    assert [*drafter.segments.items()] == [*restarted.segments.items()]
    for segment, prompt, output in after:
        expected, actual = (play(each, prompt, output, segment) for each in (drafter, restarted))
        assert [draft.tokens.tolist() for draft in expected] == [draft.tokens.tolist() for draft in actual]
        assert [draft.survival.tolist() for draft in expected] == [draft.survival.tolist() for draft in actual]


def test_history_sketches_references_and_weights_are_kept(path: Path) -> None:
    taught().save(path, "words")
    drafter = AdaptiveLookup.load(path, "words")
    assert {"guide": 4, "invoices": 25} == drafter.segments
    assert [11, 12, 13] == first_draft(drafter.open("invoices"), [9], [10], 3)
    assert [51, 52, 53] == first_draft(drafter.open("guide"), [9], [50], 3)
    third = sketch(tokens_of(list(range(200, 240))))
    segment = drafter._segments.open("invoices")
    index = segment.history.index
    start = drafter._segments.similar(segment, index, third)
    assert [20, 21, 22, 23, 24] == index.text[start : start + 5].tolist()  # the answer to the prompt most like it
    assert taught().survival.parameters().tolist() == drafter.survival.parameters().tolist()


def test_any_name_of_a_segment_is_kept(path: Path) -> None:
    drafter = AdaptiveLookup()
    names = ["", "a\nb", "Rechnungen äöü", "\ud800", "\0", '"]}']
    for name in names:
        drafter.open(name)
    drafter.save(path, "words")
    assert names == [*AdaptiveLookup.load(path, "words").segments]


def test_what_exceeds_the_loading_drafters_bounds_is_dropped(path: Path) -> None:
    drafter = AdaptiveLookup()
    drafter.refer("guide", [tokens_of([1, 2, 3])])
    for segment in ("a", "b", "c"):
        for first in range(10, 510, 10):
            play(drafter, [1], [*range(first, first + 10)], segment)
    drafter.save(path, "words")
    smaller = AdaptiveLookup.load(path, "words", max_tokens=1000, max_segments=3)
    assert ["guide", "b", "c"] == [*smaller.segments]
    assert 3 == smaller.segments["guide"]
    assert 100 < smaller.segments["c"] <= 250
    assert [501, 502] == first_draft(smaller.open("c"), [1], [500], 2)
    with pytest.raises(HistoryError, match=r"segments must take at most half of max_tokens=6, 3 tokens"):
        AdaptiveLookup.load(path, "words", max_tokens=6)


def test_a_file_of_another_tokenizer_is_refused_by_name(path: Path) -> None:
    taught().save(path, "llama-3 128256 a1b2")
    message = (
        "a history serves the tokenizer that it was made with, of fingerprint 'llama-3 128256 a1b2', got 'gpt-2' for"
        f" {path}: load it with that tokenizer, or keep another file for this one"
    )
    with pytest.raises(HistoryError, match=re.escape(message)):
        AdaptiveLookup.load(path, "gpt-2")
    assert issubclass(HistoryError, NgramspecError)


def test_a_file_that_is_cut_anywhere_is_refused(path: Path) -> None:
    taught().save(path, "words")
    whole = path.read_bytes()
    cuts = [*range(200), *range(200, len(whole), 997), len(whole) - 1]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(HistoryError, match=r"a saved history .*, got .*history: (put|load|name) "):
            AdaptiveLookup.load(path, "words")


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_with_any_byte_damaged_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("saved") / "history"
    taught().save(path, "words")
    damaged = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(damaged) - 1) | st.integers(0, 400))
    damaged[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    with pytest.raises(HistoryError, match="a saved history "):
        AdaptiveLookup.load(path, "words")


def test_a_damaged_file_is_named_with_what_to_do(path: Path) -> None:
    taught().save(path, "words")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(HistoryError) as caught:
        AdaptiveLookup.load(path, "words")
    assert (
        f"a saved history must be as it was written, got a damaged or truncated file, {path}: put back a copy, or"
        " delete it and begin anew"
    ) == str(caught.value)


def test_a_file_of_another_version_is_refused(path: Path) -> None:
    taught().save(path, "words")
    path.write_bytes(path.read_bytes().replace(b"history 1\n", b"history 2\n", 1))
    with pytest.raises(
        HistoryError, match=r"must be of version 1, got b'2' in .*: load it with the ngramspec that saved"
    ):
        AdaptiveLookup.load(path, "words")


def test_a_file_that_is_missing_is_the_systems_matter(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AdaptiveLookup.load(path, "words")
    with pytest.raises(FileNotFoundError):
        AdaptiveLookup().save(path / "in no folder", "words")


def test_weights_for_other_features_are_learnt_anew_and_the_texts_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(saving, "LAYOUT", [0])
        taught().save(path, "words")
    drafter = AdaptiveLookup.load(path, "words")
    assert {"guide": 4, "invoices": 25} == drafter.segments
    assert AdaptiveLookup().survival.parameters().tolist() == drafter.survival.parameters().tolist()


def test_a_history_of_the_time_when_segments_had_weights_of_their_own_keeps_its_texts(path: Path) -> None:
    taught().save(path, "words")
    header, (lessons, _, *kept) = parts_of(path)
    own = np.zeros((2, 13))
    header["survival"] = [6, lessons.shape[1], own.shape[1]]
    arrays = [lessons, own, *(array for start in range(0, len(kept), 3) for array in (*kept[start : start + 3], own))]
    drafter = AdaptiveLookup.load(written(path, whole_file.HISTORY, (header, arrays)), "words")
    assert {"guide": 4, "invoices": 25} == drafter.segments
    assert [11, 12, 13] == first_draft(drafter.open("invoices"), [9], [10], 3)
    assert AdaptiveLookup().survival.parameters().tolist() == drafter.survival.parameters().tolist()


def test_a_history_of_the_time_when_nothing_was_kept_of_mixing_keeps_its_texts(path: Path) -> None:
    taught().save(path, "words")
    header, (lessons, _, *kept) = parts_of(path)
    header["survival"] = [7, lessons.shape[1]]
    drafter = AdaptiveLookup.load(written(path, whole_file.HISTORY, (header, [lessons, *kept])), "words")
    assert {"guide": 4, "invoices": 25} == drafter.segments
    assert [11, 12, 13] == first_draft(drafter.open("invoices"), [9], [10], 3)


def test_a_history_of_the_time_before_trees_heeded_what_the_model_held_for_likely_keeps_its_texts(path: Path) -> None:
    taught().save(path, "words")
    header, (lessons, mixing, *texts) = parts_of(path)
    header["survival"] = [8, lessons.shape[1]]
    drafter = AdaptiveLookup.load(written(path, whole_file.HISTORY, (header, [lessons, mixing[:-9], *texts])), "words")
    assert {"guide": 4, "invoices": 25} == drafter.segments
    assert [11, 12, 13] == first_draft(drafter.open("invoices"), [9], [10], 3)


@pytest.mark.parametrize(
    ("index", "number", "message"),
    [
        (0, 1.0, "frequencies must be from 0.0005 to 0.9995, got another one"),
        (0, np.nan, "frequencies must be"),
        (NUM_KINDS, 0.5, "counts must be whole numbers from 0 to 256, got another one"),
        (NUM_KINDS, 257.0, "counts must be"),
        (-1, 50.1, "weights must be from -50.0 to 50.0, got another one"),
        (-1, np.nan, "weights must be"),
    ],
)
def test_mixing_that_cannot_have_been_learnt_is_refused(path: Path, index: int, number: float, message: str) -> None:
    taught().save(path, "words")
    header, arrays = parts_of(path)
    arrays[1] = arrays[1].copy()
    arrays[1][index] = number
    with pytest.raises(HistoryError, match=message):
        AdaptiveLookup.load(written(path, whole_file.HISTORY, (header, arrays)), "words")
    with pytest.raises(HistoryError, match=r"mixing must be float64\["):
        AdaptiveLookup.load(written(path, whole_file.HISTORY, (header, [arrays[0], arrays[0], *arrays[2:]])), "words")


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_only_the_owner_may_read_what_the_segments_wrote(path: Path) -> None:
    taught().save(path, "words")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    path.symlink_to(folder / "real")
    taught().save(path, "words")
    assert path.is_symlink()
    assert taught().segments == AdaptiveLookup.load(folder / "real", "words").segments


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_earlier_file_and_nothing_else(
    path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("no space left on device")

    taught().save(path, "words")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="no space left"):
        AdaptiveLookup().save(path, "words")
    assert [path] == [*path.parent.iterdir()]
    assert taught().segments == AdaptiveLookup.load(path, "words").segments


def whole_state(path: Path) -> int:
    """The number, modulo 4, of which what was saved consists from its first token to its last."""
    drafter = AdaptiveLookup.load(path, "words")
    numbers = {name: {*map(int, segment.history.index.text[1:])} for name, segment in drafter._segments._kept.items()}
    assert 1 == len(numbers["a"])
    assert numbers["a"] == numbers["b"]
    return numbers["a"].pop()


SAVING = """
import os
import sys
import numpy as np
from ngramspec.drafting import AdaptiveLookup

path, number = sys.argv[1], int(sys.argv[2])
if sys.argv[3] == "hangs":
    def hang(descriptor):
        print("hangs", flush=True)
        sys.stdin.read()
    os.fsync = hang
drafters = [AdaptiveLookup() for _ in range(4)]
for remainder, drafter in enumerate(drafters):
    for segment in ("a", "b"):
        drafter.refer(segment, [np.full(100_000, remainder)])
while True:
    number += 1
    print(number, flush=True)
    drafters[number % 4].save(path, "words")
    print(number, flush=True)
"""


def start_saving(path: Path, number: int, how: str) -> "subprocess.Popen[str]":
    """A process that saves states, from `number` + 1 on, modulo 4; it says each number before and after its save."""
    command = [sys.executable, "-c", SAVING, str(path), str(number), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_kill_at_any_moment_leaves_the_state_that_was_saved_last(path: Path) -> None:
    number, rng = 0, random.Random(0)
    for _ in range(8):
        with start_saving(path, number, "runs on") as process:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in range(2)]
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
            said = [int(line) for line in first + process.stdout.readlines()]
        saved = max(state for state in said if said.count(state) == 2)
        assert whole_state(path) in {saved % 4, said[-1] % 4}
        number = said[-1]


def test_a_kill_in_mid_write_leaves_the_state_that_was_saved_before(path: Path) -> None:
    drafter = AdaptiveLookup()
    for segment in ("a", "b"):
        drafter.refer(segment, [np.full(100, 3)])
    drafter.save(path, "words")
    with start_saving(path, 7, "hangs") as process:
        assert process.stdout is not None
        assert ["8\n", "hangs\n"] == [process.stdout.readline() for _ in range(2)]
        process.kill()
    assert 2 == len([*path.parent.iterdir()])  # what was written until then lies beside it
    assert 3 == whole_state(path)
    drafter.save(path, "words")
    assert [path] == [*path.parent.iterdir()]  # and is taken away by the next one
