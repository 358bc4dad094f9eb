"""Nothing is read without a limit or waits for a pipe, and anything but a regular file is refused by name."""

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec import AdaptiveLookup, CostsError, HistoryError, Speculator, TraceError
from ngramspec.errors import NgramspecError, PromptError
from ngramspec.files.reading import Bounds
from ngramspec.replay import read_costs, read_traces
from tests.cli.conftest import Command
from tests.files.forging import COSTS, HISTORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and devices are POSIX's")

SMALL = Bounds("a text", PromptError, 1000, "--max-bytes", 50)


def loads(name: str) -> Callable[[Path], Any]:
    return {
        "history": lambda path: AdaptiveLookup.load(path, "words"),
        "costs": lambda path: Speculator().load_costs(path),
        "costs of a replay": lambda path: read_costs(str(path)),
        "traces": lambda path: list(read_traces(path)),
    }[name]


LOADS: list[tuple[str, type[NgramspecError]]] = [
    ("history", HistoryError),
    ("costs", CostsError),
    ("costs of a replay", CostsError),
    ("traces", TraceError),
]
COMMANDS = [
    ["replay"],
    ["replay", "rows.jsonl", "--cost"],
    ["simulate"],
    ["simulate", "rows.jsonl", "--cost"],
    ["check", "--prompts"],
    ["generate", "--prompt-file"],
    ["generate", "--prompt-file", "prompt.txt", "--costs"],
    ["generate", "--prompt-file", "prompt.txt", "--schema"],
    ["generate", "--prompt-file", "prompt.txt", "--grammar"],
]


def odd_files(folder: Path) -> dict[str, Path]:
    """A pipe that nobody writes, a device that never ends, a link to it, and a file with a hole of a terabyte."""
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/dev/zero")
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 40)
    return {"pipe": folder / "pipe", "device": Path("/dev/zero"), "link": folder / "link", "sparse": folder / "sparse"}


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "sparse"])
@pytest.mark.parametrize(("name", "error"), LOADS)
def test_what_is_no_regular_file_or_too_large_is_refused_before_it_is_read(
    tmp_path: Path, name: str, error: type[NgramspecError], kind: str
) -> None:
    path = odd_files(tmp_path)[kind]
    with pytest.raises(error) as caught:
        loads(name)(path)
    if kind == "sparse":
        assert "must take at most" in str(caught.value)
        assert "raise " in str(caught.value)
    else:
        assert f"must be a regular file, got a {'pipe' if kind == 'pipe' else 'device'}, {path}: " in str(caught.value)


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "sparse"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_them_with_exit_code_2(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"prompt_ids": [1], "output_ids": [1, 2]}')
    Path("prompt.txt").write_text("abc")
    outcome = run(*command, odd_files(tmp_path)[kind])
    assert 2 == outcome.code, outcome.errors
    assert "must be a regular file, got a" in outcome.errors or "must take at most" in outcome.errors
    assert "" == outcome.output


def test_a_pipe_swapped_in_for_a_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("abc")
    found = os.stat(tmp_path / "file")
    os.unlink(tmp_path / "file")
    os.mkfifo(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda path: found)  # asked a moment before
    with pytest.raises(PromptError, match="must be a regular file, got a pipe"):
        SMALL.opened(tmp_path / "file")


@pytest.mark.parametrize("size", [1000, 1001])
def test_a_file_of_the_limit_is_read_and_a_longer_one_is_not(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"a" * size)
    if size == 1000:
        with SMALL.opened(tmp_path / "file") as file:
            assert b"a" * size == SMALL.content(file, "file")
        return
    with pytest.raises(PromptError, match=r"a text must take at most 1000 bytes, got more, .*file: raise --max-bytes"):
        SMALL.opened(tmp_path / "file")
    with pytest.raises(PromptError, match=r"a text must take at most 1000 bytes, got more, a pipe: raise --max-bytes"):
        SMALL.content(io.BytesIO(b"a" * size), "a pipe")  # whatever its size was said to be


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"\r\n", b"\x1f\x8b"])).map(b"".join), st.booleans())
def test_lines_are_those_of_the_file_gzipped_or_not(content: bytes, is_gzipped: bool) -> None:
    file = io.BytesIO(gzip.compress(content) if is_gzipped else content)
    if content.startswith(b"\x1f\x8b") and not is_gzipped:
        with pytest.raises(PromptError, match="a gzipped file must be whole"):
            list(SMALL.lines(file, "file"))
        return
    lines = io.BytesIO(content).readlines()
    if any(len(line) > 50 for line in lines) or len(content) > 1000:
        with pytest.raises(PromptError, match="must take at most"):
            list(SMALL.lines(file, "file"))
        return
    assert lines == list(SMALL.lines(file, "file"))


@pytest.mark.parametrize("unit", [b"a", b"\n", b'{"prompt_ids": [1], "output_ids": [1]}\n'])
def test_a_few_compressed_bytes_never_become_gigabytes(tmp_path: Path, unit: bytes) -> None:
    """By the limit on the process's memory: 4 GB would be more than it has."""
    with gzip.open(tmp_path / "bomb.gz", "wb", compresslevel=9) as file:
        for _ in range(4):
            file.write(unit * (10_000_000 // len(unit)))
    assert (tmp_path / "bomb.gz").stat().st_size < 200_000
    rule = (
        r"a line must take at most 16777216|recorded requests must take at most (20000000 bytes|79125 lines), got more"
    )
    with pytest.raises(TraceError, match=rule):
        for _ in read_traces(tmp_path / "bomb.gz", max_bytes=20_000_000):
            pass


def test_a_line_of_gigabytes_is_refused_within_bounded_memory(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
from ngramspec.errors import TraceError
from ngramspec.replay import read_traces
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(read_traces(Path({str(tmp_path / "long")!r}), max_bytes=1 << 50))
except TraceError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""
    with open(tmp_path / "long", "wb") as file:
        file.truncate(4 << 30)  # zeros, and no end of a line among them
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, _, error = done.stdout.partition(" ")
    assert f"{tmp_path}/long:1: a line must take at most 16777216 bytes, got more" in error
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 200_000_000


@pytest.mark.parametrize("command", [["replay", "-"], ["check", "--prompts", "-"], ["generate", "--prompt-file", "-"]])
def test_standard_input_is_read_no_further_than_the_limit(
    run: Command, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    with open("/dev/zero", encoding="utf-8") as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        outcome = run(*command, "--max-bytes", 100_000_000)
    assert 2 == outcome.code
    assert "must take at most" in outcome.errors


def test_the_limit_of_a_command_can_be_raised(run: Command, tmp_path: Path) -> None:
    row = '{"prompt_ids": [1], "output_ids": [1, 2]}\n'
    (tmp_path / "rows.jsonl").write_text(row * 10)
    outcome = run("replay", tmp_path / "rows.jsonl", "--max-bytes", 100)
    assert 2 == outcome.code
    rule = "recorded requests must take at most 100 bytes, got more"
    assert f"ngramspec: {rule}, {tmp_path}/rows.jsonl: raise --max-bytes\n" == outcome.errors
    assert 0 == run("replay", tmp_path / "rows.jsonl", "--max-bytes", len(row) * 10).code


@pytest.mark.parametrize(("kind", "name", "error"), [(HISTORY, "history", HistoryError), (COSTS, "costs", CostsError)])
def test_a_sparse_file_that_begins_as_it_should_is_not_read_beyond_the_limit(
    tmp_path: Path, kind: Any, name: str, error: type[NgramspecError]
) -> None:
    with open(tmp_path / "saved", "wb") as file:
        file.write(kind.magic + b"1\n" + b"0" * 64 + b"\n")
        file.truncate(1 << 29)
    with pytest.raises(error, match=r"must take at most 268435456 bytes, got more, .*saved: raise max_bytes"):
        loads(name)(tmp_path / "saved")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"9" * 5000, b"\xff", b'"\\ud800"', b"{" * 999, b'{"a":' * 980])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_holds_anything_is_a_named_error(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"prompt_ids": [1], "output_ids": [1, 2]}')
    Path("prompt.txt").write_text("abc")
    Path("odd.jsonl").write_bytes(content + b"\n")
    outcome = run(
        *command, "odd.jsonl", *(["--max-new-tokens", "2"] if command[0] not in ("replay", "simulate") else [])
    )
    assert 2 == outcome.code, outcome.errors
    assert outcome.errors.startswith("ngramspec: ")
    assert "odd.jsonl" in outcome.errors
    assert len(outcome.errors) < 3000


def test_a_schema_that_is_too_long_is_refused(run: Command, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("abc")
    (tmp_path / "schema.json").write_bytes(b" " * (1 << 24) + b"{}")
    outcome = run("generate", "--prompt-file", tmp_path / "prompt.txt", "--schema", tmp_path / "schema.json")
    assert 2 == outcome.code
    assert "a schema or grammar must take at most 16777216 bytes, got more" in outcome.errors


@pytest.mark.parametrize("depth", [99, 101, 300, *range(940, 1000, 5)])
@pytest.mark.parametrize(
    "row",
    [
        '{"messages": [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "d"}], "tools": [DEEP]}',
        '{"messages": DEEP}',
        '{"prompt": "abc", "output": "abc", "meta": DEEP}',
        '{"prompt": DEEP, "output": DEEP}',
        "DEEP",
    ],
)
def test_a_row_of_any_depth_is_read_or_a_named_error(run: Command, tmp_path: Path, row: str, depth: int) -> None:
    deep = ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth)[depth % 2]
    (tmp_path / "rows.jsonl").write_text(row.replace("DEEP", deep) + "\n")
    outcome = run("replay", tmp_path / "rows.jsonl", "--tokenizer", "pico")
    assert outcome.code in (0, 2), outcome.errors
    assert 0 == outcome.code or outcome.errors.startswith(f"ngramspec: {tmp_path}/rows.jsonl:1: ")
    if depth > 100:
        assert 2 == outcome.code


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_name_that_no_file_can_have_is_a_named_error(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"prompt_ids": [1], "output_ids": [1, 2]}')
    Path("prompt.txt").write_text("abc")
    outcome = run(*command, "n" * 5000)
    assert (2, "") == (outcome.code, outcome.output)
    assert outcome.errors.startswith("ngramspec: ")
    assert "File name too long" in outcome.errors
    assert len(outcome.errors) < 2000
