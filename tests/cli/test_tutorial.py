"""The commands of docs/tutorial.md print what the page shows, except numbers."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Command
from tests.serve.test_process import PATIENCE, address_in, asked, process

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
HERE = "http://127.0.0.1:8000"
"""The address in the page; a test's service has a free port."""


def section(number: int) -> str:
    [text] = re.findall(rf"^## {number}\. .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def programs(number: int) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", section(number), re.MULTILINE | re.DOTALL)


def commands(number: int) -> list[tuple[str, str]]:
    """What is typed, and what is shown of its output."""
    blocks = re.findall(r"^```console\n(.*?)^```$", section(number), re.MULTILINE | re.DOTALL)
    typed = [each for block in blocks for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [_parted(each) for each in typed]


def _parted(text: str) -> tuple[str, str]:
    """A command goes on in the next line where it has an open quote."""
    lines = text.splitlines(keepends=True)
    length = next(count for count in range(1, len(lines) + 1) if "".join(lines[:count]).count("'") % 2 == 0)
    return "".join(lines[:length]).strip(), "".join(lines[length:])


def shows(shown: str, printed: str) -> bool:
    """Whether `shown` is `printed` up to numbers and blanks; … stands for anything."""
    pattern = ".*".join(map(re.escape, re.split(r"\s*…\s*", _without_numbers(shown))))
    return re.fullmatch(pattern, _without_numbers(printed), re.DOTALL) is not None


def _without_numbers(text: str) -> str:
    text = re.sub(r"; passes without drafts: .*", "", text)  # reasons and advice depend on the machine
    text = re.sub(r"(Switch it on|Leave it off|On or off makes no difference)([^.]|\.\d)*\.", "Advice.", text)
    text = re.sub(r"\d+(\.\d+)?( (ms|µs|s)\b)?", "#", text)
    return " ".join(text.split())


def argument(command: str) -> Sequence[str]:
    program, *arguments = shlex.split(command)
    assert "ngramspec" == program
    return arguments


def test_numbers_differ_and_words_do_not() -> None:
    assert shows("a 1.5 s\n…\nd", "a  20 ms\nb\nc\nd\n")
    assert not shows("a 1.5 s\n…\nd", "a  20 ms\nb\nc\n")
    assert not shows("a 1.5 s", "b 1.5 s")


def test_the_program_of_steps_2_and_4_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for number in (2, 4):
        [program], [(command, shown)] = programs(number), commands(number)
        assert "python first.py" == command
        exec(program, names)
        printed = capsys.readouterr().out
        assert shows(shown.removeprefix("…\n"), printed), printed


def test_the_commands_of_steps_5_6_and_9_print_what_is_shown(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [program] = programs(5)
    exec(program, {})
    for command, shown in commands(5) + commands(6):
        outcome = run(*argument(command))
        assert (0, True) == (outcome.code, shows(shown, outcome.output)), outcome.output + outcome.errors
    (generate, nothing), (simulate, shown) = commands(9)
    assert "" == nothing
    generate, _, name = generate.partition(" > ")
    Path(name).write_text(run(*argument(generate)).output, encoding="utf-8")
    outcome = run(*argument(simulate))
    assert (0, True) == (outcome.code, shows(shown, outcome.output)), outcome.output + outcome.errors


def test_the_service_of_steps_7_and_8_answers_as_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (serve, line), (curl, whole), (client, printed) = commands(7)
    [program], [(scrape, metrics)] = programs(7), commands(8)
    with process(*argument(serve)[1:]) as (_, first):
        address = address_in(first)
        assert shows(line, first)
        path, body = re.findall(rf"^curl -s {HERE}(\S+) -d '(.*)'$", curl, re.DOTALL)[0]
        assert shows(whole, asked(address, path, json.loads(body)).read().decode())
        assert "python client.py" == client
        capsys.readouterr()
        exec(program.replace(HERE, address), {})
        assert shows(printed, capsys.readouterr().out)
        assert f"curl -s {HERE}/metrics" == scrape
        assert shows(metrics, urlopen(f"{address}/metrics", timeout=PATIENCE).read().decode())
