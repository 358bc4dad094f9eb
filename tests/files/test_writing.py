"""A file is replaced completely or not at all, some kinds never, and an error says which file is in place."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ngramspec import AdaptiveLookup
from ngramspec.files import writing
from ngramspec.files.writing import replace

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and owners are POSIX's")
is_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "saved"
    replace(path, [b"old"])
    return path


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def interrupting(at: int, lines: list[int]) -> Callable[[FrameType, str, Any], Any]:
    """Traces `writing`, and raises KeyboardInterrupt at its line number `at`, counted as it runs; once."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != writing.__file__:
            return None
        if event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == at:
                raise KeyboardInterrupt
        return trace

    return trace


def test_an_interrupt_at_any_line_tells_which_file_is_there_and_leaves_nothing_else(path: Path) -> None:
    seen, at = set(), 0
    while True:
        at += 1
        replace(path, [b"old"])
        before, lines = descriptors(), list[int]()
        sys.settrace(interrupting(at, lines))
        try:
            replace(path, [b"n", b"ew"])
        except KeyboardInterrupt as error:
            sys.settrace(None)
            found = path.read_bytes()
            said = "".join(getattr(error, "__notes__", []))
            seen.add((found, said))
            assert said in ("", f"{path}: {IN_PLACE[found]}"), lines
        else:
            break
        finally:
            sys.settrace(None)
        assert [path.name] == names(path), lines
        assert descriptors() <= before, lines
    assert at > 40
    # Before anything was done, and after all was, there is nothing to say.
    assert {(content, note) for content, said in IN_PLACE.items() for note in ("", f"{path}: {said}")} == seen


IN_PLACE = {b"old": "what was there before is there still", b"new": "the new file is in place"}


def test_an_interrupt_right_after_the_rename_is_an_interrupt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.replace

    def late(*names: Any) -> None:
        rename(*names)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "replace", late)
    with pytest.raises(KeyboardInterrupt) as caught:
        replace(path, [b"new"])
    assert [f"{path}: the new file is in place"] == caught.value.__notes__
    assert ([path.name], b"new") == (names(path), path.read_bytes())


@pytest.mark.parametrize(
    ("failing", "content", "said"),
    [
        ("fsync", b"old", "No space left on device; what was there before is there still"),
        ("replace", b"old", "No space left on device; what was there before is there still"),
        (
            "the folder's fsync",
            b"new",
            "No space left on device; the new file is in place, but may not outlive",
        ),
    ],
)
def test_the_error_of_a_full_disk_says_which_file_is_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, content: bytes, said: str
) -> None:
    calls, fsync = [], os.fsync

    def fail(*arguments: Any) -> None:
        calls.append(arguments)
        if failing != "the folder's fsync" or len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(*arguments)

    monkeypatch.setattr(os, "replace" if failing == "replace" else "fsync", fail)
    before = descriptors()
    with pytest.raises(OSError, match=said) as caught:
        replace(path, [b"new"])
    assert (errno.ENOSPC, str(path)) == (caught.value.errno, caught.value.filename)
    assert ([path.name], content, before) == (names(path), path.read_bytes(), descriptors())


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """By the limit on the size of a process's files, which is like a full disk in mid-write."""
    code = f"""
import resource, signal
from pathlib import Path
from ngramspec.files.writing import replace
path = Path({str(tmp_path / "saved")!r})
replace(path, [b"old"])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    replace(path, [b"x" * 60_000] * 4)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "File too large; what was there before is there still" in done.stdout
    assert (["saved"], b"old") == (names(tmp_path / "saved"), (tmp_path / "saved").read_bytes())


WRITER = """
import os, sys
from pathlib import Path
from ngramspec.files.writing import replace
def hang(descriptor):
    print("hangs", flush=True)
    sys.stdin.read()
os.fsync = hang
replace(Path(sys.argv[1]), [b"other"])
"""


def test_the_file_of_a_killed_writer_is_removed_and_that_of_a_running_one_is_not(path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dead,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living,
    ):
        for process in (dead, living):
            assert process.stdout is not None
            assert b"hangs\n" == process.stdout.readline()
        assert 3 == len(names(path))
        dead.kill()
        dead.wait()
        replace(path, [b"new"])
        assert 2 == len(names(path))
        assert b"new" == path.read_bytes()
        living.communicate(b"")
    assert 0 == living.returncode
    assert ([path.name], b"other") == (names(path), path.read_bytes())


def test_nothing_that_only_looks_like_a_stray_is_taken_away(path: Path, tmp_path: Path) -> None:
    suffix = f".{'0' * 16}.ngramspec.tmp"
    others = [f".other{suffix}", ".saved.abc.tmp", f".saved{suffix}.bak", f"saved{suffix}"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / f".saved.{'1' * 16}.ngramspec.tmp").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"")
    os.mkfifo(tmp_path / f".saved.{'2' * 16}.ngramspec.tmp")
    before = names(path)
    replace(path, [b"new"])
    assert before == names(path)
    (tmp_path / f".saved{suffix}").write_bytes(b"of a crash")
    replace(path, [b"new"])
    assert before == names(path)


def test_many_writers_of_one_file_leave_one_file(path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(30):
            replace(path, [b"%d" % number] * 1000)

    with ThreadPoolExecutor(4) as threads:
        assert [None] * 4 == list(threads.map(write, range(4)))
    assert [path.name] == names(path)
    assert path.read_bytes() in {b"%d" % number * 1000 for number in range(4)}


def refused(path: Path) -> str:
    with pytest.raises(OSError, match="a file is replaced where there is none or a regular one, got ") as caught:
        replace(path, [b"new"])
    return str(caught.value)


def test_pipes_folders_and_sockets_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = {name: os.lstat(tmp_path / name).st_ino for name in names(tmp_path / "pipe")}
    assert "got a device, pipe or socket: name another" in refused(tmp_path / "pipe")
    assert "got a folder: name another" in refused(tmp_path / "folder")
    (tmp_path / "link").symlink_to("pipe")
    assert "got a device, pipe or socket" in refused(tmp_path / "link")
    os.unlink(tmp_path / "link")
    assert before == {name: os.lstat(tmp_path / name).st_ino for name in names(tmp_path / "pipe")}


def test_the_null_device_takes_everything_and_stays_one(tmp_path: Path) -> None:
    AdaptiveLookup().save(os.devnull, "words")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    (tmp_path / "link").symlink_to(os.devnull)
    replace(tmp_path / "link", [b"new"])
    assert ["link"] == names(tmp_path / "link")


@is_root
def test_devices_are_never_replaced(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("devices cannot be made here")
    assert "got a device, pipe or socket" in refused(tmp_path / "zero")
    assert stat.S_ISCHR(os.stat(tmp_path / "zero").st_mode)


def test_a_link_of_the_users_own_is_followed_to_a_file_and_to_where_none_is(path: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("volume/real")
    for content in (b"new", b"newer"):
        replace(tmp_path / "first", [content])
        assert content == (tmp_path / "volume" / "real").read_bytes()
    assert all((tmp_path / name).is_symlink() for name in ("first", "second"))
    assert ["real"] == names(tmp_path / "volume" / "real")


def test_a_ring_of_links_is_an_error_of_the_systems(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        replace(tmp_path / "a", [b"new"])


@is_root
def test_links_of_others_and_to_files_of_others_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "planted").symlink_to(path)
    os.lchown(tmp_path / "planted", 12345, 12345)
    assert "got a link that belongs to user 12345" in refused(tmp_path / "planted")
    os.chown(path, 12345, 12345)
    (tmp_path / "link").symlink_to(path)
    assert "got a link to a file that belongs to user 12345" in refused(tmp_path / "link")
    assert (b"old", 12345) == (path.read_bytes(), path.stat().st_uid)
    assert (tmp_path / "planted").is_symlink()


def test_a_name_that_becomes_something_else_meanwhile_is_not_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def swapped(descriptor: int) -> None:
        fsync(descriptor)
        os.unlink(path)
        os.mkfifo(path)

    monkeypatch.setattr(os, "fsync", swapped)
    with pytest.raises(OSError, match="got a device, pipe or socket"):
        replace(path, [b"new"])
    assert stat.S_ISFIFO(os.lstat(path).st_mode)
    assert [path.name] == names(path)


def test_a_long_name_is_written_as_well(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    replace(path, [b"new"])
    assert ([path.name], b"new") == (names(path), path.read_bytes())
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
