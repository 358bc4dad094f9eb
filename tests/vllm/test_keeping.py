"""A history outlives its engine; what fails meanwhile is counted, and stops nothing."""

from pathlib import Path
from threading import Event

import pytest

from ngramspec.errors import HistoryError
from ngramspec.vllm.keeping import Job, Keeper, kept_drafter
from ngramspec.vllm.trouble import Trouble
from tests.vllm.engines import decode, drafting_of

ANSWER = [*range(300, 340)]


def test_a_history_is_drafted_from_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "history"
    drafter = kept_drafter(path, "tokenizer")
    decode(drafting_of(drafter), [[1, 2, 3]], [ANSWER], segment="a")
    drafter.save(path, "tokenizer")
    assert any(decode(drafting_of(kept_drafter(path, "tokenizer")), [[1, 2, 3]], [ANSWER], segment="a")[0])
    assert not any(decode(drafting_of(kept_drafter(None, "tokenizer")), [[1, 2, 3]], [ANSWER], segment="a")[0])


def test_a_file_that_cannot_be_the_history_is_named_at_the_start_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b"mine")
    with pytest.raises(HistoryError):
        kept_drafter(path, "tokenizer")
    assert b"mine" == path.read_bytes()
    with pytest.raises(OSError, match="missing"):
        kept_drafter(tmp_path / "missing" / "history", "tokenizer")


def test_jobs_are_done_now_and_then_and_once_more_at_the_end() -> None:
    done: list[str] = []
    enough = Event()

    def often() -> None:
        done.append("often")
        if done.count("often") == 5:
            enough.set()

    keeper = Keeper([Job("a", 1, often), Job("b", 10**9, lambda: done.append("rarely"))], Trouble(), tick_seconds=0.001)
    assert enough.wait(60)
    keeper.stop()
    keeper.stop()
    assert 1 == done.count("rarely")
    assert "often" in done[-2:]


def test_a_job_that_fails_is_counted_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries, enough, trouble = [0], Event(), Trouble()

    def fails() -> None:
        tries[0] += 1
        if tries[0] == 3:
            enough.set()
        raise OSError("disk full")

    keeper = Keeper([Job("saving", 1, fails)], trouble, tick_seconds=0.001)
    assert enough.wait(60)
    keeper.stop()
    assert tries[0] == trouble.num_errors
    assert ["saving failed: disk full (counted from now on, and not told again)"] == [
        record.getMessage() for record in caplog.records
    ]
