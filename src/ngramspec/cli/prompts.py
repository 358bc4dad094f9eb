"""Reads prompts from files: one text, one per line, or a chat per line."""

import sys
from dataclasses import dataclass
from typing import Annotated, BinaryIO

import typer

from ngramspec.cli.terminal import complain
from ngramspec.errors import PromptError, shortened
from ngramspec.files.reading import Bounds
from ngramspec.printing import named
from ngramspec.replay.chats import SURROGATE, Chat, read_chat
from ngramspec.replay.rows import read_row

SUFFIX = ".jsonl"
MAX_BYTES = 1 << 26
"""Default limit of a file of prompts, in bytes."""
MAX_PROMPTS = 1_000_000

MaxBytes = Annotated[
    int, typer.Option("--max-bytes", min=1, help="The most bytes of prompts to read from a file or a pipe.")
]
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. origin: where it was read, "file" or "file:line". chat: if it is one. segment: if it has one."""

    text: str
    origin: str
    chat: Chat | None = None
    segment: str | None = None

    @property
    def as_chat(self) -> Chat:
        """The prompt as a chat with one user message."""
        return Chat([{"role": "user", "content": self.text}], None, self.origin)

    def recording_row(self, output: str) -> dict[str, object]:
        """Prompt and output as a line that `ngramspec replay` reads."""
        segment = {} if self.segment is None else {"segment": self.segment}
        if self.chat is None:
            return {"prompt": self.text, "output": output, **segment}
        tools = {} if self.chat.tools is None else {"tools": self.chat.tools}
        return {"messages": [*self.chat.messages, {"role": "assistant", "content": output}], **tools, **segment}


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of a file. origin: where and how they were read, for people. are_lines: whether as lines of JSON."""

    rows: list[Prompt]
    origin: str
    are_lines: bool


def read_prompts(file: str, max_bytes: int = MAX_BYTES, *, by_line: bool = False) -> Prompts:
    """Read a `.jsonl` file of `{"prompt": text}` or `{"messages": […]}`, or any other file as one prompt.

    `-` is standard input, read as JSON lines if its first line is such an object. by_line: read any other file as one
    prompt per line. Raises OSError if the file cannot be read; PromptError for more than `max_bytes` or MAX_PROMPTS,
    and for a prompt without text; TraceError for malformed messages.
    """
    origin = "standard input" if file == STANDARD_INPUT else file
    text = _text(file, origin, max_bytes)
    is_json = file.endswith(SUFFIX) or (file == STANDARD_INPUT and _begins_with_a_row(text))
    if is_json or by_line:
        if text.count("\n") > MAX_PROMPTS:
            raise PromptError(f"{origin}: a file of prompts must hold at most {MAX_PROMPTS} lines, got more: split it")
        lines = enumerate(text.split("\n"), start=1)  # other line separators in a prompt are text
        origins = [(line.removesuffix("\r"), f"{origin}:{number}") for number, line in lines if line.strip()]
        prompts = [_parse(line, at) if is_json else Prompt(line, at) for line, at in origins]
    else:
        prompts = [Prompt(text, origin)]
    if not prompts:
        example = '{"prompt": text}' if is_json else "a prompt per line"
        raise PromptError(f"{origin}: a file of prompts must hold at least one line, got none: write {example}")
    for prompt in prompts:
        if prompt.chat is None and not prompt.text.strip():
            raise PromptError(f"{prompt.origin}: a prompt must hold some text, got {shortened(prompt.text)}: write one")
    way = "a line of JSON each" if is_json else "a line each" if by_line else "the whole text"
    return Prompts(prompts, f"{len(prompts)} prompt{'s' * (len(prompts) > 1)} from {origin}, {way}", is_json)


def _begins_with_a_row(text: str) -> bool:
    try:
        row = read_row(text.lstrip().partition("\n")[0], STANDARD_INPUT, PromptError)
    except PromptError:
        return False
    return isinstance(row, dict) and not row.keys().isdisjoint(("prompt", "messages"))


def _text(file: str, origin: str, max_bytes: int) -> str:
    bounds, origin = Bounds("a file of prompts", PromptError, max_bytes, "--max-bytes"), named(origin)
    try:
        if file == STANDARD_INPUT:
            return bounds.content(standard_input("prompts"), origin).decode("utf-8")
        with bounds.opened(file) as opened:
            return bounds.content(opened, origin).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PromptError(f"{origin}: prompts must be UTF-8, got {error}: convert the file") from error


def standard_input(what: str) -> BinaryIO:
    """Standard input; if it is a keyboard, a line on standard error says what is expected."""
    if sys.stdin.isatty():
        complain(f"reading {what} from the keyboard; end with Ctrl-D on a line of its own")
    return sys.stdin.buffer


def _parse(line: str, origin: str) -> Prompt:
    row = read_row(line, origin, PromptError)
    segment = row.get("segment") if isinstance(row, dict) else None
    if not (segment is None or isinstance(segment, str)):
        raise PromptError(f"{origin}: segment must be text, got {shortened(segment)}; name it, or leave it out")
    if isinstance(row, dict) and "messages" in row:
        return Prompt("", origin, read_chat(row, origin).open(), segment)
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise PromptError(
            f'{origin}: a line must be {{"prompt": text}} or {{"messages": […]}}, got {shortened(row)}:'
            " add the prompt as text"
        )
    if SURROGATE.search(row["prompt"]):
        raise PromptError(
            f"{origin}: a prompt must be valid Unicode, got {shortened(row['prompt'])}: pair its surrogates"
        )
    return Prompt(row["prompt"], origin, segment=segment)
