"""What is written of an answer is what replay reads of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ngramspec.errors import TraceError
from ngramspec.replay import Recording, read_traces
from ngramspec.replay.alternatives import LEAST_LOGPROB

IDS = st.integers(0, 2**31 - 1)
LOGPROBS = st.floats(LEAST_LOGPROB, 0, width=32) | st.sampled_from([-0.0, -np.inf, np.nan])


@dataclass
class Answer:
    prompt: list[int]
    output: list[int]
    top_ids: npt.NDArray[np.int32]
    top_logprobs: npt.NDArray[np.float32]
    segment: str | None


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    output = draw(st.lists(IDS, max_size=6))
    shape = len(output), draw(st.integers(1, 8))
    ids, logprobs = draw(arrays(np.int32, shape, elements=IDS)), draw(arrays(np.float32, shape, elements=LOGPROBS))
    return Answer(draw(st.lists(IDS, max_size=6)), output, ids, logprobs, draw(st.none() | st.text()))


@given(
    first=st.lists(answers(), max_size=3), more=st.lists(answers(), max_size=3), name=st.sampled_from(["a", "a.jsonl"])
)
def test_any_answers_are_read_as_they_were_written_by_one_writer_after_another(
    tmp_path_factory: pytest.TempPathFactory, first: list[Answer], more: list[Answer], name: str
) -> None:
    path = tmp_path_factory.mktemp("recorded") / name
    write(path, first)
    write(path, more)
    check(path, [*first, *more])


@given(st.lists(answers(), max_size=4))
def test_any_answers_are_read_as_they_were_written_gzipped(
    tmp_path_factory: pytest.TempPathFactory, written: list[Answer]
) -> None:
    path = tmp_path_factory.mktemp("recorded") / "a.jsonl.gz"
    write(path, written)
    assert not written or b"\x1f\x8b" == path.read_bytes()[:2]
    check(path, written)


def write(path: Path, written: list[Answer]) -> None:
    with Recording(path) as recording:
        for each in written:
            recording.write(each.prompt, each.output, each.top_ids, each.top_logprobs, each.segment)


def check(path: Path, written: list[Answer]) -> None:
    read = list(read_traces(path))
    assert [(each.prompt, each.output, each.segment) for each in written] == [
        (trace.prompt.tolist(), trace.output.tolist(), trace.segment) for trace in read
    ]
    for each, trace in zip(written, read, strict=True):
        assert trace.output_top is not None
        if not each.output:
            continue
        assert each.top_ids.tolist() == trace.output_top.ids.tolist()
        likely = np.where(each.top_logprobs >= LEAST_LOGPROB, each.top_logprobs, LEAST_LOGPROB)  # NaN is not
        assert np.abs(likely - trace.output_top.logprobs).max() < 0.006


def test_an_answer_that_could_not_be_read_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    with Recording(path) as recording:
        with pytest.raises(TraceError, match="a recorded answer must take at most 16777216 bytes"):
            recording.write([2**30] * 1_500_000, [1], np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32))
        with pytest.raises(ValueError, match="a line for each of the 2 tokens, got 1 and 1"):
            recording.write([1], [1, 2], np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32))
    assert b"" == path.read_bytes()
