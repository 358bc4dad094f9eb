"""Prompts as files give them: one text, or one per line."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ngramspec.errors import PromptError, shortened

SUFFIX = ".jsonl"
_SURROGATE = re.compile("[\ud800-\udfff]")  # one half of a character, which JSON can spell


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt and where it stands, for messages: "file" or "file:line"."""

    text: str
    place: str


def read_prompts(file: str, *, by_line: bool = False) -> list[Prompt]:
    """Read a `.jsonl` file of `{"prompt": text}`, or any other file (`-`: standard input) as one prompt.

    by_line: read any other file as one prompt per line. Raises PromptError for a file that cannot be read, and for a
    prompt without text.
    """
    place = "standard input" if file == "-" else file
    is_json = file.endswith(SUFFIX)
    if is_json or by_line:
        lines = enumerate(_text(file).split("\n"), start=1)  # a line separator in a prompt is text
        places = [(line.removesuffix("\r"), f"{place}:{number}") for number, line in lines if line.strip()]
        prompts = [_parse(line, at) if is_json else Prompt(line, at) for line, at in places]
    else:
        prompts = [Prompt(_text(file), place)]
    if not prompts:
        example = '{"prompt": text}' if is_json else "a prompt per line"
        raise PromptError(f"{place}: a file of prompts must hold at least one line, got none: write {example}")
    for prompt in prompts:
        if not prompt.text.strip():
            raise PromptError(f"{prompt.place}: a prompt must hold some text, got {shortened(prompt.text)}: write one")
    return prompts


def _text(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise PromptError(f"{file}: prompts must be a file to read, got: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{file}: prompts must be UTF-8, got {error}: convert the file") from error


def _parse(line: str, place: str) -> Prompt:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise PromptError(
            f"{place}: a line must hold one JSON object, got {shortened(line)} ({error}): write one object per line"
        ) from error
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise PromptError(f'{place}: a line must be {{"prompt": text}}, got {shortened(row)}: add the prompt as text')
    if _SURROGATE.search(row["prompt"]):
        raise PromptError(
            f"{place}: a prompt must be valid Unicode, got {shortened(row['prompt'])}: pair its surrogates"
        )
    return Prompt(row["prompt"], place)
