"""Periodic jobs: failures are counted, and stop nothing."""

from threading import Event

import pytest

from ngramspec.vllm.periodic import PeriodicJob, PeriodicThread
from ngramspec.vllm.trouble import Trouble


def test_jobs_are_done_in_each_tick_and_once_more_at_the_end() -> None:
    done: list[bool] = []
    enough = Event()

    def work(is_last: bool) -> None:
        done.append(is_last)
        if len(done) == 5:
            enough.set()

    thread = PeriodicThread([PeriodicJob("a", work)], Trouble(), tick_seconds=0.001)
    assert enough.wait(60)
    thread.stop()
    thread.stop()
    assert [True] == [is_last for is_last in done if is_last] == done[-1:]


def test_a_job_that_fails_is_counted_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries, enough, trouble = [0], Event(), Trouble()

    def fails(is_last: bool) -> None:
        tries[0] += 1
        if tries[0] == 3:
            enough.set()
        raise OSError("disk full")

    thread = PeriodicThread([PeriodicJob("saving", fails)], trouble, tick_seconds=0.001)
    assert enough.wait(60)
    thread.stop()
    assert tries[0] == trouble.num_errors
    assert ["saving failed: disk full (counted from now on, and not told again)"] == [
        record.getMessage() for record in caplog.records
    ]
