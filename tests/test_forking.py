"""A child of a busy process never waits for a lock that a thread of its parent held."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ngramspec import forking

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")


def child_ends_with(run: Callable[[], int]) -> int:
    """What `run` returns in a forked child; -signal.SIGALRM where that waits for ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads in a process that forks
        pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        code = 99
        try:
            code = run()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def held_by_another_thread(lock: Any) -> Iterator[None]:
    taken, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            enough.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    yield
    enough.set()
    thread.join()


@pytest.mark.parametrize("is_held_long", [False, True])
@pytest.mark.parametrize("make", [forking.lock, forking.rlock])
def test_a_lock_that_another_thread_holds_is_free_in_the_child(
    make: Callable[..., Any], is_held_long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "PATIENCE", 0.05)
    lock = make(is_held_long=is_held_long)

    def takes_it() -> int:
        with lock:
            return 7

    with held_by_another_thread(lock):
        assert 7 == child_ends_with(takes_it)
        assert not lock.acquire(blocking=False)  # in the parent it is held on
    with lock:
        pass


def test_a_lock_that_the_forking_thread_holds_is_held_on_in_both_processes() -> None:
    lock = forking.rlock()

    def lets_go() -> int:
        lock.release()
        refused = []
        thread = threading.Thread(target=lambda: refused.append(lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        return int(refused[0])

    with lock:
        assert 1 == child_ends_with(lets_go)
    with lock:
        pass


def test_the_data_under_a_lock_is_consistent_in_the_child() -> None:
    lock, pair, is_over = forking.lock(), [0, 0], threading.Event()

    def change() -> None:
        while not is_over.is_set():
            with lock:
                pair[0] += 1
                time.sleep(0.002)  # a fork comes here most often
                pair[1] += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        ends = [child_ends_with(lambda: int(pair[0] != pair[1])) for _ in range(20)]
    finally:
        is_over.set()
        thread.join()
    assert [0] * 20 == ends
    assert pair[0] > 0


def test_locks_are_made_in_a_child_and_by_other_threads_after_a_fork() -> None:
    def makes_one() -> int:
        with forking.lock(), held_by_another_thread(forking.lock()):
            return child_ends_with(lambda: 5)

    assert 5 == child_ends_with(makes_one)
    with held_by_another_thread(forking.lock()):
        pass


def test_a_lock_is_forgotten_with_its_owner() -> None:
    before = len(forking._forks.locks)
    locks = [forking.lock() for _ in range(10)]
    assert before + 10 == len(forking._forks.locks)
    del locks
    assert before == len(forking._forks.locks)


def test_a_lock_may_be_made_while_another_one_is_held_and_a_fork_waits_for_that() -> None:
    """As a table of prices is made under the lock of all tables: the fork must not hold what its maker waits for."""
    outer, made, is_over, half_done = forking.lock(), [0], threading.Event(), [False]

    def make() -> None:
        while not is_over.is_set():
            with outer:
                half_done[0] = True
                time.sleep(0.002)
                with forking.lock():
                    made[0] += 1
                half_done[0] = False
            time.sleep(0.001)  # a lock is not fair: without it the fork may wait in vain

    thread = threading.Thread(target=make)
    thread.start()
    try:
        assert [0] * 10 == [child_ends_with(lambda: int(half_done[0])) for _ in range(10)]
    finally:
        is_over.set()
        thread.join()
    assert made[0] > 0
