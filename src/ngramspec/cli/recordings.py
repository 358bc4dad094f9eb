"""Recorded requests of a command, from files or standard input, with a progress bar."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ngramspec.cli.prompts import STANDARD_INPUT, standard_input
from ngramspec.errors import TraceError
from ngramspec.files.reading import Bounds
from ngramspec.printing import named
from ngramspec.replay import RowGuards, Tokenizer, Trace, read_traces
from ngramspec.replay.traces import MAX_BYTES

Traces = Annotated[
    list[str], typer.Argument(help='Recorded requests: JSON lines, gzipped or not. "-" is standard input.')
]
TokenizerName = Annotated[
    str | None,
    typer.Option("--tokenizer", help="For rows of text: tekken, pico, or a path or name that AutoTokenizer loads."),
]
EveryAnswer = Annotated[
    bool, typer.Option("--every-answer", help="Of a chat, take each of the assistant's messages, not the last.")
]
MaxBytes = Annotated[
    int, typer.Option("--max-bytes", min=1, help="The most bytes to read from each file or pipe, uncompressed.")
]


def recorded(
    names: Sequence[str],
    tokenizer: Tokenizer | None,
    *,
    every_answer: bool,
    max_bytes: int = MAX_BYTES,
    guards: RowGuards | None = None,
) -> Iterator[Trace]:
    """The requests of all files, one after another; every_answer, guards: see `read_traces`."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for name in names:
            if name == STANDARD_INPUT:
                path, file = Path("standard input"), standard_input("recordings")
            else:
                path, file = Path(name), _opened(name, progress, max_bytes)
            yield from read_traces(path, tokenizer, file, every_answer=every_answer, max_bytes=max_bytes, guards=guards)


def _opened(path: str, progress: Progress, max_bytes: int) -> BinaryIO:
    file = Bounds("recorded requests", TraceError, max_bytes, "--max-bytes").opened(path)
    size = os.fstat(file.fileno()).st_size
    return progress.wrap_file(file, size, description=escape(named(path)))
