"""For any unusable file, a command gives the rule, the value and the remedy, in one line, with exit code 2."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cli.test_terminals import check_that_it_is_shown, run

MADE: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "empty": Path.touch,
    "loop": lambda path: path.symlink_to("loop"),
    "one way": lambda path: path.symlink_to("other way"),
    "other way": lambda path: path.symlink_to("one way"),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "to a folder": lambda path: path.symlink_to("folder"),
    "to memory": lambda path: path.symlink_to("/proc/self/mem"),
    "\x1b[2J\n": lambda path: path.symlink_to("loop"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
}
NAMES = [*MADE, "", ".", "..", "~", "nowhere", "foldre", "l" * 300, "l" * 5000, "empty/x", "loop/x", "pipe/", "a\udcff",
         "/dev/zero", "/dev/null/x", "/proc/self/mem", "/proc/self/fd/0/x", "/proc/self/attr/current"]  # fmt: skip

COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "recording": lambda name: ["replay", name],
    "recordings": lambda name: ["replay", "/dev/null/none", name],
    "costs": lambda name: ["replay", "empty", "--cost", name],
    "a table of costs": lambda name: ["replay", "empty", "--cost", f"{name}#ab"],
    "tokenizer": lambda name: ["replay", "empty", "--tokenizer", name],
    "prompts to check": lambda name: ["check", "--prompts", name],
    "prompts": lambda name: ["generate", "--prompt-file", name],
    "schema": lambda name: ["generate", "--prompt-file", "text", "--schema", name],
    "grammar": lambda name: ["generate", "--prompt-file", "text", "--grammar", name],
    "model": lambda name: ["generate", "--prompt-file", "text", "--model", name],
}


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("odd")
    before = os.getcwd()
    os.chdir(folder)
    for name, make in MADE.items():
        make(Path(name))
    Path("text").write_text("abc")
    yield
    os.chdir(before)


@pytest.mark.usefixtures("odd_files")
@given(command=st.sampled_from([*COMMANDS]), name=st.sampled_from(NAMES))
@example("recording", "/proc/self/mem")
@example("recording", "loop")
@example("recording", "")
@example("schema", "")
@example("costs", "l" * 300)
@example("tokenizer", "l" * 300)
@example("model", "l" * 300)
@settings(max_examples=150, deadline=None)
def test_what_cannot_be_a_file_is_refused_with_rule_value_and_remedy(command: str, name: str) -> None:
    with patch.dict(os.environ, {"COLUMNS": "400"}):
        code, output, errors = run(*COMMANDS[command](name))
    assert (2, "") == (code, output)
    check_that_it_is_shown(errors)
    line = errors.strip()  # a dumb terminal gets an empty line where the bar would have been
    assert "\n" not in line
    assert len(line) < 2000
    assert re.match(r"ngramspec: .*(must|needs|takes|is|begins) .*, ?(but )?got:? .*", line), line
    assert re.search(r"got.*(: |; )[a-z]", line), line
    assert "[Errno" not in line
    assert not re.search(r"did you mean (loop|dangling|one way)\b", line)
