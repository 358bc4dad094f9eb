"""`ngramspec serve` reports errors in one line, before it serves."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ada\n", "of printable ASCII, on each line, got another line 1"),
        ("ada one\nada two\n", "must have a new tenant's name and its own key"),
        ("ada one\nben one\n", "must have a new tenant's name and its own key"),
        ("ada schlüssel\n", "of printable ASCII, on each line, got another line 1"),  # no header is read as UTF-8
        ("# nobody\n\n", "--api-keys must have at least one key, got none"),
    ],
)
def test_keys_that_cannot_be_read_are_told(
    run: Command, write: Callable[[str, str], Path], text: str, message: str
) -> None:
    outcome = run("serve", "--api-keys", write("keys", text))
    assert 2 == outcome.code
    assert message in " ".join(outcome.errors.split())


def test_an_address_that_is_taken_is_told(run: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = run("serve", "--port", taken.getsockname()[1])
    assert 2 == outcome.code
    assert "--host and --port must be an address of this machine that is free, got 127.0.0.1 and" in outcome.errors


def test_a_model_that_cannot_be_loaded_is_told(run: Command, tmp_path: Path) -> None:
    outcome = run("serve", "--port", 0, "--model", tmp_path / "nothing")
    assert 2 == outcome.code
    (line,) = outcome.errors.splitlines()
    assert "--model must be pico, a model's folder or its name on the hub" in line


def test_a_missing_file_is_told(run: Command, tmp_path: Path) -> None:
    outcome = run("serve", "--chat-template", tmp_path / "none")
    assert 2 == outcome.code
    assert "must be a file that can be read, got: No such file or directory" in outcome.errors
