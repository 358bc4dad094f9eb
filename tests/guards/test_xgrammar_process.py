"""xgrammar compiles in a process of its own, which ends in time and leaves nothing behind."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ngramspec
from ngramspec.guards.backends import xgrammar_process
from ngramspec.guards.backends.xgrammar_process import Worker
from ngramspec.guards.types import BackendError

pytest.importorskip("xgrammar")

TEXTS = [bytes([byte]) for byte in range(256)]
PATTERNS = [f"^(([a-z]{{1,{most}}}){{1,60}}){{1,6}}$" for most in range(100, 120)]
SLOW = json.dumps({"properties": {pattern: {"type": "string", "pattern": pattern} for pattern in PATTERNS}})


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker(max_seconds=60)
    yield made
    assert made._process is not None
    made._end(made._process)


def test_it_compiles_one_grammar_after_another(worker: Worker) -> None:
    first = worker.compile("regex", "a+", {}, TEXTS)
    process = worker._process
    second = worker.compile("regex", "b+", {}, TEXTS)
    assert first != second
    assert process is worker._process


def test_what_xgrammar_says_of_a_bad_grammar_is_passed_on_and_the_next_one_compiles(worker: Worker) -> None:
    with pytest.raises(BackendError, match="Backreference"):
        worker.compile("regex", r"(a)\1", {}, TEXTS)
    assert worker.compile("regex", "a", {}, TEXTS)


def test_a_grammar_that_takes_too_long_is_stopped_and_the_next_one_compiles(worker: Worker) -> None:
    worker.compile("regex", "a", {}, TEXTS)
    process = worker._process
    assert process is not None
    worker.max_seconds = 0.2
    start = time.monotonic()
    with pytest.raises(BackendError, match=r"more than 0\.2 s"):
        worker.compile("json_schema", SLOW, {}, TEXTS)
    assert time.monotonic() - start < 30
    assert -signal.SIGKILL == process.returncode  # waited for: no zombie
    worker.max_seconds = 60
    assert worker.compile("regex", "a", {}, TEXTS)


def test_a_process_that_dies_between_two_grammars_is_started_anew(worker: Worker) -> None:
    worker.compile("regex", "a", {}, TEXTS)
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    assert worker.compile("regex", "a", {}, TEXTS)


def test_a_process_that_dies_while_compiling_is_an_error_and_the_next_one_compiles(worker: Worker) -> None:
    worker.compile("regex", "a", {}, TEXTS)
    assert worker._process is not None
    killer = threading.Timer(0.3, os.kill, (worker._process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(BackendError, match="ended"):
        worker.compile("json_schema", SLOW, {}, TEXTS)
    assert worker.compile("regex", "a", {}, TEXTS)


def test_a_process_that_dies_in_the_middle_of_its_answer_is_an_error() -> None:
    whole = pickle.dumps(("a long answer" * 100, None))
    for length in (0, 1, 10, len(whole) - 1):
        with pytest.raises(EOFError):
            xgrammar_process._receive(io.BytesIO(whole[:length]))


def test_a_grammar_that_takes_too_much_memory_is_an_error() -> None:
    worker = Worker(max_seconds=10)  # without memory, xgrammar fails, dies, or hangs
    worker.compile("regex", "a", {}, TEXTS)
    process = worker._process
    assert process is not None
    import resource

    used = 4096 * int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
    assert resource.prlimit(process.pid, resource.RLIMIT_AS)[0] == xgrammar_process.MAX_BYTES
    resource.prlimit(process.pid, resource.RLIMIT_AS, (used + (16 << 20), xgrammar_process.MAX_BYTES))
    with pytest.raises(BackendError):
        worker.compile("json_schema", SLOW, {}, TEXTS)
    if worker._process is not None:
        worker._end(worker._process)


def test_many_threads_get_what_each_asked_for(worker: Worker) -> None:
    patterns = [letter * 3 for letter in "abcdefgh"]
    expected = {pattern: worker.compile("regex", pattern, {}, TEXTS) for pattern in patterns}
    found: dict[str, str] = {}

    def ask(pattern: str) -> None:
        found[pattern] = worker.compile("regex", pattern, {}, TEXTS)

    threads = [threading.Thread(target=ask, args=(pattern,)) for pattern in patterns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected == found


def test_it_finds_a_package_that_only_sys_path_knows_and_needs_no_stdin(tmp_path: Path) -> None:
    root = Path(ngramspec.__file__).parents[1]
    code = f"""
import sys
sys.path.insert(0, {str(root)!r})
from ngramspec.guards import Guard, Vocabulary
guard = Guard.regex("a+", Vocabulary([bytes([byte]) for byte in range(256)]), backend="xgrammar")
print(guard.accepts("aa"), guard.accepts("b"))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    reading, writing = os.pipe()  # a terminal at which nobody types
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            cwd=tmp_path,
            env=environment,
            stdin=reading,
            capture_output=True,
            text=True,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert ("True False", "") == (done.stdout.strip(), done.stderr.strip())
