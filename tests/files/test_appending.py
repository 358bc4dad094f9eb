"""A file that grows holds whole lines, whoever is killed or runs out of room, and nothing of another kind is cut."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.files.appending import Appended

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks, pipes and owners are POSIX's")
FIRST = b'{"a": '
LINES = [b'{"a": 1}\n', b'{"a": 22}\n']


def append(path: Path, *lines: bytes, first: bytes = FIRST) -> None:
    file = Appended(path, first)
    for line in lines:
        file.append(line)
    file.close()


def test_lines_come_after_those_that_are_there_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append(path, LINES[0])
    append(path, LINES[1])
    assert b"".join(LINES) == path.read_bytes()
    assert 0o600 == path.stat().st_mode & 0o777


@given(cut=st.integers(0, len(b"".join(LINES))))
def test_what_a_killed_writer_left_of_a_line_at_any_byte_is_taken_away(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "lines"
    written = b"".join(LINES)[:cut]
    path.write_bytes(written)
    append(path, LINES[0])
    assert written[: written.rfind(b"\n") + 1] + LINES[0] == path.read_bytes()


@pytest.mark.parametrize("content", [b"a note", b'{"a": 1}\nmore', b"x" * 100])
def test_a_file_of_another_kind_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note"
    path.write_bytes(content)
    with pytest.raises(OSError, match="must end with a line of the same kind, got one that ends within another line"):
        Appended(path, FIRST)
    assert content == path.read_bytes()


def test_where_the_end_cannot_be_checked_the_file_must_be_new_or_empty(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    append(path, first=b"")
    append(path, b"packed", first=b"")
    with pytest.raises(OSError, match="must be new or empty, got one that has something in it"):
        Appended(path, b"")
    assert b"packed" == path.read_bytes()


def test_a_full_disk_leaves_the_lines_before_whole_and_says_so(tmp_path: Path) -> None:
    """In a process whose files may have 1 KiB."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from ngramspec.files.appending import Appended\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "file = Appended(Path(sys.argv[1]), b'a'); file.append(b'a' * 999 + b'\\n')\n"
        "try:\n    file.append(b'a' * 999 + b'\\n')\n"
        "except OSError as error:\n    print(error.errno, error.strerror)\n"
        "file.append(b'ab\\n')\n"
    )
    path = tmp_path / "lines"
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert f"{errno.EFBIG} {os.strerror(errno.EFBIG)}; the lines before are in place\n" == ran.stdout
    assert b"a" * 999 + b"\nab\n" == path.read_bytes()


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    file = Appended(path, FIRST)
    with pytest.raises(OSError, match="must have one writer at a time, got one that another process writes"):
        Appended(path, FIRST)
    file.close()
    append(path, *LINES)
    assert b"".join(LINES) == path.read_bytes()


def test_pipes_and_folders_are_refused_and_the_null_device_takes_everything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="a file is replaced where there is none or a regular one"):
            Appended(path, FIRST)
    append(Path(os.devnull), *LINES)
