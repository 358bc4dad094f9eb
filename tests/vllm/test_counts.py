"""Counters reach another process through a file that only their user can write."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngramspec.stats import Counters, GuardOutcome, Stats, Undrafted
from ngramspec.vllm.counts import EngineCounts, counts_file, counts_of, publish, published
from ngramspec.watching import DriftCounts, Drifts

NOTHING = EngineCounts({}, {}, 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own" / "instance.json"


numbers = st.integers(0, 1 << 40)
times = st.floats(0.0, 1e9)
counters = st.builds(
    Counters,
    *(numbers for _ in range(6)),
    st.lists(numbers, max_size=9),
    st.dictionaries(st.sampled_from(Undrafted), numbers),
    numbers,
    st.dictionaries(st.sampled_from(GuardOutcome), numbers),
    *(times for _ in range(4)),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        EngineCounts,
        st.dictionaries(st.text(max_size=5), counters, max_size=3),
        st.dictionaries(st.text(max_size=5), st.builds(DriftCounts, numbers, numbers), max_size=3),
        numbers,
    )
)
def test_what_is_published_is_read(file: Path, counts: EngineCounts) -> None:
    publish(file, counts)
    found = published(file)
    assert counts == found
    assert seconds(counts) == seconds(found)  # counters are equal whatever their times
    assert 0o700 == file.parent.stat().st_mode & 0o777


def seconds(counts: EngineCounts) -> list[tuple[float, ...]]:
    return [
        (each.drafting_seconds, each.steering_seconds, each.masking_seconds, each.verifying_seconds)
        for each in counts.segments.values()
    ]


class Watched:
    """What is counted, and nothing that drafts."""

    def __init__(self) -> None:
        self.stats, self.drifts = Stats(), Drifts()


def test_requests_without_a_segment_are_told_under_no_name() -> None:
    watched, named, unnamed = Watched(), Counters(requests=1, tokens=9), Counters(requests=2, tokens=3)
    watched.stats.add(named, 'a "b"\n')
    watched.stats.add(unnamed)
    assert EngineCounts({'a "b"\n': named, "": unnamed}, {}, 2) == counts_of(watched, 2)


def test_a_folder_that_others_can_write_is_not_used(file: Path) -> None:
    file.parent.mkdir(mode=0o777)
    file.parent.chmod(0o777)
    with pytest.raises(OSError, match="a folder of this user's alone"):
        publish(file, NOTHING)
    assert [] == os.listdir(file.parent)
    with pytest.raises(OSError, match="a folder of this user's alone"):
        published(file)


GOOD = asdict(Counters())


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[[], {}, 0]", "[{}, {}, true]", "[{}, {}, 0", "[{}, {}]", '[{"a": []}, {}, 0]'),
        *('[{}, {"a": [1]}, 0]', '[{}, {"a": [1, -1]}, 0]', "[{}, [], 0]"),
        *(
            json.dumps([{"a": GOOD | wrong}, {}, 0])
            for wrong in (
                {"tokens": -4},
                {"requests": 1.5},
                {"num_accepted_tokens_per_pos": [1, None]},
                {"num_undrafted_per_reason": {"whim": 1}},
                {"num_guarded_per_outcome": {"failed": -1}},
                {"verifying_seconds": float("nan")},
                {"drafting_seconds": "1"},
            )
        ),
        json.dumps([{"a": {name: GOOD[name] for name in GOOD if name != "num_drafts"}}, {}, 0]),
    ],
)
def test_what_cannot_have_been_published_is_refused(file: Path, content: str) -> None:
    publish(file, NOTHING)
    file.write_text(content)
    with pytest.raises(ValueError, match=r"must|Expecting|is not a valid"):
        published(file)


def test_an_engine_and_its_logger_mean_the_same_file() -> None:
    assert counts_file("17", 2) == counts_file("17_dp2", 2)
    assert counts_file("17", 2) != counts_file("17", 1)
