"""The command line answers at once."""

import subprocess
import sys

import pytest

from tests.cli.conftest import Command

CHECK = """
import sys
from ngramspec.cli import main
try:
    main()
finally:
    heavy = {"torch", "transformers"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize("command", ["", "bench", "check", "demo", "fuzz", "generate", "replay"])
def test_help_loads_neither_torch_nor_transformers(command: str) -> None:
    arguments = [*command.split(), "--help"]
    done = subprocess.run([sys.executable, "-c", CHECK, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_the_package_is_a_command_too() -> None:
    command = [sys.executable, "-m", "ngramspec", "demmo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == done.returncode
    assert "Usage: python -m ngramspec " in done.stderr


def test_help_names_every_command(run: Command) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for command in ("bench", "check", "demo", "fuzz", "generate", "replay"):
        assert command in outcome.output


def test_a_mistyped_command_is_named(run: Command) -> None:
    outcome = run("generte")
    assert outcome.code == 2
    assert "No such command 'generte'" in outcome.errors
