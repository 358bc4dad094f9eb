"""Counters reach another process by a file that only their user can write."""

import os
from pathlib import Path

import pytest

from ngramspec.stats import Counters, Stats
from ngramspec.vllm.counts import Counts, counts_file, counts_of, publish, published


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own" / "instance.json"


def test_what_is_published_is_read(file: Path) -> None:
    stats = Stats()
    stats.add(Counters(tokens=9, target_passes=4, num_draft_tokens=6, num_accepted_tokens=5), 'a "b"\n')
    stats.add(Counters(tokens=3, target_passes=3))
    publish(file, counts_of(stats, 2))
    assert Counts({'a "b"\n': (9, 4, 6, 5)}, 2) == published(file)
    assert 0o700 == file.parent.stat().st_mode & 0o777


def test_a_folder_that_others_can_write_is_not_used(file: Path) -> None:
    file.parent.mkdir(mode=0o777)
    file.parent.chmod(0o777)
    with pytest.raises(OSError, match="a folder of this user's alone"):
        publish(file, Counts({}, 0))
    assert [] == os.listdir(file.parent)
    with pytest.raises(OSError, match="a folder of this user's alone"):
        published(file)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[[], 0]", '[{"a": [1]}, 0]', '[{"a": [1, 2, 3, -4]}, 0]', "[{}, true]", "[{}, 0"],
)
def test_what_cannot_have_been_published_is_refused(file: Path, content: str) -> None:
    publish(file, Counts({}, 0))
    file.write_text(content)
    with pytest.raises(ValueError, match=r"must|Expecting"):
        published(file)


def test_an_engine_and_its_logger_mean_the_same_file() -> None:
    assert counts_file("17", 2) == counts_file("17_dp2", 2)
    assert counts_file("17", 2) != counts_file("17", 1)
