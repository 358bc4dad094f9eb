"""The commands in docs/simulating.md run, in order, on recorded requests."""

import json
import re
import shlex
from pathlib import Path

import pytest

from ngramspec.calibration import model as calibration
from tests.cli.conftest import Command
from tests.cli.test_simulate import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "simulating.md"


def test_the_commands_of_the_page_run(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, values in (("BATCHES", (1, 2)), ("COLUMNS", (1, 3)), ("CONTEXTS", (8,))):
        monkeypatch.setattr(calibration, name, values)  # its own take a minute
    Path("traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    Path("prompt.txt").write_text("ab")
    Path("prompts.jsonl").write_text('{"prompt": "ab"}\n')
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ngramspec ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 10
    for command in commands:
        outcome = run(*shlex.split(command))
        assert (0, True) == (outcome.code, bool(outcome.output)), f"{command}: {outcome.errors}"
    assert {"report.html", "pico.json", "recorded.jsonl"} <= {path.name for path in tmp_path.iterdir()}
