"""A history with a correct digest and forged contents is refused by name, or loads into a drafter that works."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec import AdaptiveLookup, HistoryError
from ngramspec.drafting.core import LAYOUT, SEPARATOR
from tests.drafting.test_adaptive_lookup import play
from tests.drafting.test_saving import taught
from tests.files.forging import HISTORY, Parts, forge, forged, parts_of, written


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    path = tmp_path_factory.mktemp("real") / "history"
    drafter = taught()
    long = list(range(200, 280))
    for _ in range(3):
        play(drafter, long, long[5:45], "long prompts")
    drafter.save(path, "words")
    return parts_of(path)


def refusal(path: Path) -> str:
    with pytest.raises(HistoryError) as caught:
        AdaptiveLookup.load(path, "words")
    assert len(str(caught.value)) < 2000
    assert str(caught.value).isprintable()
    return str(caught.value)


def check_that_it_works(drafter: AdaptiveLookup, path: Path) -> None:
    """Rows are drafted for, learnt from, kept and saved; survival is a probability throughout."""
    for number in range(50):
        name = [None, "invoices", "guide", "long prompts", "new"][number % 5]
        prompt = list(range(200 + number, 280 + number))
        for draft in play(drafter, prompt, [*prompt[5:25], 11, 12, 13, 51, 52], name):
            assert np.isfinite(draft.survival).all()
            assert ((draft.survival >= 0) & (draft.survival <= 1)).all()
            assert (np.diff(draft.survival) <= 0).all()
            assert (draft.tokens >= 0).all()
    drafter.save(path, "words")
    assert drafter.segments == AdaptiveLookup.load(path, "words").segments


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_any_forged_history_is_refused_by_name_or_works(
    tmp_path_factory: pytest.TempPathFactory, real: Parts, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("forged")
    parts, layout = data.draw(forged(real))
    path = written(folder / "history", HISTORY, parts, layout)
    try:
        drafter = AdaptiveLookup.load(path, "words")
    except HistoryError:
        refusal(path)
        return
    check_that_it_works(drafter, folder / "again")


def test_what_was_not_forged_works(tmp_path: Path, real: Parts) -> None:
    drafter = AdaptiveLookup.load(written(tmp_path / "history", HISTORY, real), "words")
    check_that_it_works(drafter, tmp_path / "again")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"[" * 100_000, "its header must not be nested that deeply"),
        (b"7", "its header must be a list of an object and the layout of arrays"),
        (b'[{}, [["<f4", [1]]]]', "an array must be of one of the types <i4, <u8, <f8, got '<f4'"),
        (b'[{}, [["|O", [1]]]]', "an array must be of one of the types"),
        (b'[{}, [["<i4", [99999999999999, 99999999999]]]]', "the size of an array must be a whole number from 0 to"),
        (b'[{}, [["<i4", [2]]]]', "an array must have one or two dimensions and fit the file"),
        (b'[{}, [["<i4", [-1]]]]', "the size of an array must be a whole number from 0 to"),
        (b"[{}, []]", "its arrays must be all that follows, got 4 bytes more"),
        (b'[{}, [["<i4", [1]]]]', "its header must be an object with fingerprint, survival, segments, got {}"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a file made otherwise"),
        (b" " * (1 << 24), "its header must be a line of at most 8388608 bytes, which max_bytes raises"),
    ],
)
def test_a_header_that_says_something_else_is_refused_by_its_rule(tmp_path: Path, line: bytes, rule: str) -> None:
    assert rule in refusal(forge(tmp_path / "history", HISTORY, line, b"1234"))


def test_every_part_of_a_history_is_checked_where_it_refers_to_another(tmp_path: Path, real: Parts) -> None:
    def changed(number: int, index: Any, value: float) -> str:
        header, arrays = real[0], [array.copy() for array in real[1]]
        arrays[number][index] = value
        return refusal(written(tmp_path / "history", HISTORY, (header, arrays)))

    names = [segment["name"] for segment in real[0]["segments"]]
    assert real[0]["survival"] == LAYOUT
    first = 2 + 3 * names.index("long prompts")
    assert "the text of a segment must be token ids" in changed(first, 3, -5)
    assert "references and answers must begin with a separator" in changed(first, 0, 5)
    assert "each n-gram of a sketch must be listed once" in changed(first + 1, slice(None), 7)
    assert "must lead to the start of an answer" in changed(first + 2, (0, 0), 1 + real[1][first + 2][0, 0])
    assert "must lead to the start of an answer" in changed(first + 2, (0, 0), 2**31 - 1)
    assert "must lead to the start of an answer" in changed(first + 2, (0, 0), -1)
    assert "occur in at least one prompt" in changed(first + 2, (0, 1), 0)
    assert "weights must be from -50.0 to 50.0" in changed(0, (0, 7), np.nan)
    assert "weights must be from -50.0 to 50.0" in changed(0, (0, 0), -800)
    assert "rates must be from 0 to 0.3" in changed(0, (1, 7), -1)


def test_no_answer_and_no_sketch_beyond_the_limit_is_built_when_a_larger_history_is_loaded(tmp_path: Path) -> None:
    large = AdaptiveLookup(max_tokens=1 << 20)
    rng = np.random.default_rng(0)
    for _ in range(40):
        prompt = rng.integers(0, 1000, 4000).tolist()
        play(large, prompt, rng.integers(0, 1000, 50).tolist(), "a")
    large.save(tmp_path / "history", "words")
    small = AdaptiveLookup.load(tmp_path / "history", "words", max_tokens=4000)
    history = small._segments._kept["a"].history
    assert 0 < history.size <= 1000
    text = history.index.text
    assert [SEPARATOR] == list({int(text[start - 1]) for start, _ in history.sketches._positions.values()})
