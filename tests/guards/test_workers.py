"""Untrusted sources are read in workers, which end in time, and do not change the calling process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ngramspec
from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Limits
from ngramspec.guards.backends import llguidance, xgrammar
from ngramspec.guards.backends.llguidance import options_of
from ngramspec.guards.source import Backend, Language, Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.workers import fork_server, serving
from ngramspec.guards.workers import pool as pools
from ngramspec.guards.workers.pool import Pool
from ngramspec.guards.workers.preparing import read_answer, request_message
from ngramspec.guards.workers.process import Process
from tests.guards.vocabularies import BYTES

SLOW = "(" * 1_000_000
"""llguidance takes far more than ten seconds for this regex."""
ROOT = Path(ngramspec.__file__).parents[1]
POOLS: dict[Backend, Pool] = {"llguidance": llguidance._POOL, "xgrammar": xgrammar._POOL}


def asked(pool: Pool, text: str, limits: Limits = Limits(), language: Language = Language.REGEX) -> str:  # noqa: B008 (frozen)
    """What a worker makes of a source."""
    answer = pool.ask(request_message(Source(language, text), options_of(limits)), limits)
    return read_answer(answer)[0].decode()


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool("llguidance", most=2)
    yield made
    made.close()
    assert ([], [], None) == (made._idle, made._working, made._server)


def chain(start: str, rule: str, length: int) -> str:
    return start + "".join(rule.format(i, i + 1) for i in range(length))


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        (chain("root ::= r0\n", "r{} ::= r{}\n", 5000) + 'r5000 ::= "a"\n', "llguidance"),
        (chain("start: r0\n", "r{}: r{}\n", 10000) + 'r10000: "a"\n', "llguidance"),
        (chain("start: T0\n", "T{}: T{}\n", 10000) + 'T10000: "a"\n', "llguidance"),
        (chain("root ::= r0\n", "r{} ::= r{}\n", 50_000) + 'r50000 ::= "a"\n', "xgrammar"),
    ],
    ids=["GBNF", "rules", "terminals", "GBNF on xgrammar"],
)
def test_what_would_overflow_the_stack_is_refused_by_name_and_the_process_lives(text: str, backend: Backend) -> None:
    with pytest.raises(GuardError, match=f"{backend} must be able to compile the .*max_(stack|memory)_bytes=.*limits="):
        Guard.grammar(text, BYTES, backend=backend, limits=Limits(max_seconds=60))
    assert Guard.regex("a", BYTES, backend=backend).accepts("a")


def test_a_chain_that_a_worker_has_read_is_read_in_a_thread_of_any_size_and_a_longer_one_where_it_is_allowed() -> None:
    text = chain("start: r0\n", "r{}: r{}\n", 1000) + 'r1000: "a"\n'
    found: list[bool] = []
    before = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append(Guard.grammar(text, BYTES).accepts("a")))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    longer = chain("start: r0\n", "r{}: r{}\n", 10_000) + 'r10000: "a"\n'
    found.append(Guard.grammar(longer, BYTES, limits=Limits(max_stack_bytes=64 << 20)).accepts("a"))
    assert [True, True] == found


def test_a_backends_words_are_no_longer_than_a_screen() -> None:
    with pytest.raises(GuardError, match="lark grammar too deeply nested") as raised:
        Guard.grammar("start: " + "(" * 100_000 + '"a"' + ")" * 100_000, BYTES)
    assert len(str(raised.value)) < 2_000


def test_a_source_that_takes_too_long_is_refused_by_name_and_the_next_one_compiles() -> None:
    with pytest.raises(GuardError, match=r"got: it takes more than max_seconds=0.5: make it simpler, or .*limits="):
        Guard.regex(SLOW, BYTES, limits=Limits(max_seconds=0.5))
    assert Guard.regex("a", BYTES).accepts("a")


def test_a_source_that_takes_too_much_memory_is_refused_by_name() -> None:
    rules = "".join(f'r{i}: "a{i}"\n' for i in range(20_000))
    text = "start: " + " | ".join(f"r{i}" for i in range(20_000)) + "\n" + rules
    small = Limits(max_memory_bytes=12 << 20, max_seconds=60)
    with pytest.raises(GuardError, match=r"max_memory_bytes=12582912: make it simpler, or raise the limit"):
        Guard.grammar(text, BYTES, limits=small)
    assert Guard.grammar('start: "a"', BYTES, limits=small).accepts("a")


def test_a_source_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(GuardError, match="a regex must have at most max_source_bytes=10, got 11: make it simpler, or"):
        Guard.regex("a" * 11, BYTES, limits=Limits(max_source_bytes=10))


@pytest.mark.parametrize(("name", "value"), [("max_seconds", 0), ("max_row_items", 1.5), ("max_seconds", float("nan"))])
def test_a_limit_is_a_positive_number(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive (whole )?number, got {value}"):
        Limits(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_stack_bytes must be from 262144 to 1073741824, got 1"):
        Limits(max_stack_bytes=1)


def test_one_worker_answers_one_source_after_another(pool: Pool) -> None:
    first = asked(pool, "a+")
    (worker,) = pool._idle
    assert first != asked(pool, "b+")
    assert [worker] == pool._idle


def test_a_worker_that_dies_between_two_sources_is_replaced(pool: Pool) -> None:
    expected = asked(pool, "a")
    (worker,) = pool._idle
    kill(worker)
    assert expected == asked(pool, "a")
    assert [worker] == pool._idle


def test_a_worker_that_dies_at_work_is_an_error_and_the_next_source_compiles(pool: Pool) -> None:
    asked(pool, "a")
    (worker,) = pool._idle
    assert worker.id is not None
    killer = threading.Timer(0.3, os.kill, (worker.id, signal.SIGKILL))
    killer.start()
    with pytest.raises(BackendError, match=r"the process that compiles it ended \(SIGKILL\)"):
        asked(pool, SLOW)
    assert asked(pool, "a")
    assert not Path(f"/proc/{worker.id}").exists()  # waited for: no zombie


def test_an_interrupt_ends_the_work_and_the_next_source_compiles(pool: Pool) -> None:
    asked(pool, "a")
    (worker,) = pool._idle
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        asked(pool, SLOW)
    assert not worker.is_alive()
    assert asked(pool, "a")


def hostile_beside(pool: Pool, count: int, work: Callable[[], None]) -> list[str]:
    """Do `work` while `count` threads have their hostile source made, none of them at its end; what each was told."""
    with ThreadPoolExecutor(count) as threads:
        hostile = [threads.submit(asked, pool, SLOW, Limits(max_seconds=60)) for _ in range(count)]
        while not pool._lines[1]:
            time.sleep(0.01)
        work()
        while not all(each.done() for each in hostile):  # what goes on now is of no interest
            for working in list(pool._working):
                if working.process is not None:
                    working.process.end("others")
            time.sleep(0.01)
    return [str(each.exception()) for each in hostile]


def test_honest_sources_do_not_wait_for_hostile_ones(pool: Pool) -> None:
    def work() -> None:
        assert asked(pool, "a") != asked(pool, "b")
        assert len(pool._lines[1]) >= 4, "the hostile ones have lost their place to nobody"

    told = hostile_beside(pool, 6, work)
    for message in told:
        assert message.startswith("it takes more than 2 s, and all workers were busy while others waited")


def test_who_gives_way_to_others_is_made_anew_and_comes_through(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [json.dumps({"properties": {f"{name}{i}": {} for i in range(300)}}) for name in "abc"]
    expected = [asked(pool, source, language=Language.JSON_SCHEMA) for source in sources]
    ended: list[str] = []
    end = Process.end

    def note(process: Process, reason: str) -> None:
        ended.append(reason)
        end(process, reason)

    monkeypatch.setattr(Process, "end", note)
    monkeypatch.setattr(pools, "TURNS", (0.02, 60.0))
    with ThreadPoolExecutor(3) as threads:
        work = [threads.submit(asked, pool, source, language=Language.JSON_SCHEMA) for source in sources]
        assert expected == [each.result() for each in work]
    assert {"others"} == set(ended)


def test_many_threads_get_what_each_asked_for(pool: Pool) -> None:
    patterns = [letter * 3 for letter in "abcdefgh"]
    expected = [asked(pool, pattern) for pattern in patterns]
    with ThreadPoolExecutor(8) as threads:
        assert expected == list(threads.map(lambda pattern: asked(pool, pattern), patterns))


def test_a_worker_that_does_not_come_up_in_time_is_an_error(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "START_SECONDS", 0.0)
    with pytest.raises(BackendError, match=r"a process to compile in must start, got for .*: late"):
        asked(pool, "a")
    monkeypatch.undo()
    assert asked(pool, "a")


def run(code: str, folder: Path, *, where: Path | None = None, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run `code` as a script that finds the package through sys.path alone; folder: the current one."""
    script = (where or folder.parent) / "script_of_a_test.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(script)]
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


MAKE = """
from ngramspec.guards import Guard, Vocabulary
V = Vocabulary([bytes([byte]) for byte in range(256)])
guard = Guard.regex("a+", V, backend={backend!r})
print(guard.accepts("aa"), guard.accepts("b"))
"""


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_a_worker_runs_nothing_of_the_current_folder_and_needs_no_standard_input(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "current"
    folder.mkdir()
    for name in ("resource", "select", "json", "numpy", "llguidance", "ngramspec", "sitecustomize"):
        (folder / f"{name}.py").write_text(f'open({str(folder / "PROOF")!r}, "w")')
    reading, writing = os.pipe()  # a terminal at which nobody types
    try:
        done = run(MAKE.format(backend=backend), folder, stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert ("True False", "") == (done.stdout.strip(), done.stderr.strip())
    assert not (folder / "PROOF").exists()


def test_the_folder_of_the_script_and_the_current_one_are_not_on_a_workers_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "relative", str(ROOT)])
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "script.py"), raising=False)
    assert [str(ROOT)] == fork_server._path()


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("work", ["a", SLOW], ids=["idle", "at work"])
def test_a_worker_ends_with_its_parent_whatever_ends_that(work: str, tmp_path: Path) -> None:
    code = f"""
import os, signal, threading, time
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.backends import llguidance, xgrammar
V = Vocabulary([bytes([byte]) for byte in range(256)])
Guard.regex("b", V)
print(llguidance._POOL._idle[0].id, llguidance._POOL._server._process.pid, flush=True)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
Guard.regex({work[:1]!r} * {len(work)}, V)
time.sleep(60)
"""
    folder = tmp_path / "current"
    folder.mkdir()
    done = run(code, folder)
    assert -signal.SIGKILL == done.returncode
    processes = list(map(int, done.stdout.split()))
    until = time.monotonic() + 30
    while any(map(is_there, processes)) and time.monotonic() < until:
        time.sleep(0.01)
    assert [False, False] == list(map(is_there, processes))


def test_the_child_of_a_busy_process_makes_guards_with_workers_of_its_own() -> None:
    Guard.regex("first", BYTES)
    (*_, worker) = llguidance._POOL._idle
    is_over = threading.Event()

    def work() -> None:
        for index in range(10_000):
            if is_over.is_set():
                return
            Guard.regex(f"busy{index}", BYTES)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        statuses = [in_a_child(lambda: Guard.regex("x+", BYTES).accepts("xx")) for _ in range(4)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert [0] * 4 == statuses
    assert worker.is_alive()
    assert Guard.regex("after", BYTES).accepts("after")


def in_a_child(check: Callable[[], bool]) -> int:
    """The exit status of a forked child, 0 where `check` holds there; it is ended after a while."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if check() else 1)
    return os.waitpid(child, 0)[1]


def test_no_more_than_so_many_workers_run_at_once(pool: Pool) -> None:
    most = 0

    def work(index: int) -> None:
        nonlocal most
        asked(pool, f"a{index}")
        most = max(most, len(pool._working) + len(pool._idle))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(40)))
    assert 1 <= most <= 2


def test_a_server_that_dies_is_replaced_and_its_workers_with_it(pool: Pool) -> None:
    expected = asked(pool, "a")
    server = pool._server
    assert server is not None
    server._process.kill()
    server._process.wait()
    assert expected == asked(pool, "a")
    assert server is not pool._server


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_an_idle_worker_that_dies_is_forked_again_and_leaves_no_descriptor(backend: Backend) -> None:
    Guard.regex("before", BYTES, backend=backend)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(2):
        for worker in POOLS[backend]._idle:
            kill(worker)
        assert Guard.regex(f"after{number}", BYTES, backend=backend).accepts(f"after{number}")
    assert before == len(os.listdir("/proc/self/fd"))


def kill(worker: Process) -> None:
    """Kill it, and wait until that is seen."""
    assert worker.id is not None
    os.kill(worker.id, signal.SIGKILL)
    while worker.is_alive():
        time.sleep(0.001)


def test_work_that_ends_as_it_is_about_to_yield_is_no_error() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < deadline:
        time.sleep(0.001)
    serving._yield_to_others(thread)
