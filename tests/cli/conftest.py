"""A tiny model on disk, and the command line as users run it."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ngramspec.cli import main
from ngramspec.cli.models import Loaded
from tests.hf.models import tiny
from tests.hf.tokenizers import character_tokenizer

ALPHABET = "abcdefghijĠ"
"""Characters of the tiny model's tokenizer; "Ġ" stands for a space."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and returned. `errors` is what went to standard error."""

    code: int
    output: str
    errors: str

    @property
    def lines(self) -> list[Any]:
        """The output, read as JSON lines."""
        return [json.loads(line) for line in self.output.splitlines()]


Command = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `ngramspec ...` by its real door, and catches what it prints."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ngramspec", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


def save_tiny(folder: Path, *, pad: bool = True, end: bool = True, chat: bool = False) -> Path:
    """Save the tiny Llama, float64, with a tokenizer of single characters."""
    tokenizer = character_tokenizer(ALPHABET)
    tiny("llama", vocabulary=len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    if not pad:
        del settings["pad_token"]
    if not end:
        del settings["eos_token"]
    if chat:
        settings["chat_template"] = "{% for message in messages %}a{{ message.content }}b{% endfor %}"
    config.write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model."""
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a text to a file."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a text into standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def break_speculation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let speculation get the last token of its first row wrong."""
    right = Loaded.generate

    def wrong(self: Loaded, prompt: dict[str, Any], spec: Any, **settings: Any) -> Any:
        output = right(self, prompt, spec, **settings)
        if spec is not None:
            output[:1, -1] = 5 if int(output[0, -1]) != 5 else 6
        return output

    monkeypatch.setattr(Loaded, "generate", wrong)
