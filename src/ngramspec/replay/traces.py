"""Recorded requests, read from JSON lines, gzipped or not, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ngramspec.drafting.types import TokenArray
from ngramspec.errors import TraceError, shortened
from ngramspec.files.reading import Bounds
from ngramspec.guards import Guard
from ngramspec.printing import named
from ngramspec.replay.alternatives import Alternatives, read_alternatives
from ngramspec.replay.chats import SURROGATE, read_chat
from ngramspec.replay.ids import parse_ids
from ngramspec.replay.logs import arrival_of, is_log, row_of_log
from ngramspec.replay.row_guards import RowGuards
from ngramspec.replay.rows import read_row
from ngramspec.replay.tokenizers import ChatTokenizer, Tokenizer
from ngramspec.replay.vllm_results import is_result, requests_of

MAX_BYTES = 1 << 30
"""Default limit of one file, uncompressed, in bytes."""

MAX_LINE_BYTES = 1 << 24
"""Limit of one request, in bytes. Parsed JSON may take twenty times as much memory."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded request.

    prompt, output: token ids `int32[n]`; both may be empty.
    segment: the segment's name, if the recording has one.
    degenerate_loop: whether the recording marks the output as stuck in a repetition.
    guard: constrains the output, and must accept it.
    prompt_top, output_top: the likeliest tokens at each position, if the recording has them.
    arrival_s: when it arrived, in seconds after any fixed time, if the recording says so.
    """

    prompt: TokenArray
    output: TokenArray
    segment: str | None = None
    degenerate_loop: bool = False
    guard: Guard | None = None
    prompt_top: Alternatives | None = None
    output_top: Alternatives | None = None
    arrival_s: float | None = None


def read_traces(
    path: Path,
    tokenizer: Tokenizer | None = None,
    file: BinaryIO | None = None,
    *,
    every_answer: bool = False,
    max_bytes: int = MAX_BYTES,
    guards: RowGuards | None = None,
) -> Iterator[Trace]:
    """Read the requests of one file, row by row; file: the open file, if the caller has opened it.

    guards: makes the guards of rows that name a `"schema"`; without it the key is ignored.

    A row is a JSON object `{"prompt": text, "output": text}`, which needs a tokenizer, or `{"prompt_ids": [ids],
    "output_ids": [ids]}`. Prompt and output are tokenized separately, as in serving. Or it is a chat,
    `{"messages": […]}` with an optional `"tools": […]` in the format of OpenAI's API, which needs a tokenizer with a
    chat template: the assistant's last message is the output, and the messages before it are the prompt; every_answer:
    likewise for each of its messages. Or it is a request of that API with its response, `{"request": {"messages": […]},
    "response": {"choices": [{"message": …}]}}`: a chat whose last message is the first choice (`logs.py` has the other
    forms); or the result of a benchmark of vLLM, which holds many requests (`vllm_results.py`). `"segment": text`,
    `"arrival_s": seconds` and `"meta": {"degenerate_loop": true}` may be added; other keys are ignored.

    A row of ids may have the tokens that the model found likely. For each token of the output, `"output_top_ids"` has a
    list of the likeliest tokens of the distribution that chose it, and `"output_top_logprobs"` one of the logarithms of
    their probabilities; `"prompt_top_ids"` and `"prompt_top_logprobs"` have the same for what follows each token of the
    prompt.

    Raises TraceError for any other row, for anything but a regular file, for a line of more than MAX_LINE_BYTES, and
    for more than `max_bytes` of lines, uncompressed.
    """
    bounds = Bounds("recorded requests", TraceError, max_bytes, "--max-bytes or max_bytes", MAX_LINE_BYTES)
    name = named(path)
    with file or bounds.opened(path) as opened:
        for number, line in enumerate(bounds.lines(opened, name), start=1):
            if line.strip():
                yield from _parse(line, f"{name}:{number}", tokenizer, every_answer, guards)


def _parse(
    line: bytes, where: str, tokenizer: Tokenizer | None, every_answer: bool, guards: RowGuards | None
) -> Iterator[Trace]:
    row = read_row(line, where, TraceError)
    if not isinstance(row, dict):
        raise TraceError(f"{where}: a line must hold one JSON object, got {shortened(row)}; write one object per line")
    segment, meta = row.get("segment"), row.get("meta")
    if not (segment is None or isinstance(segment, str)):
        raise TraceError(f"{where}: segment must be text, got {shortened(segment)}; name it, or leave it out")
    degenerate_loop = isinstance(meta, dict) and meta.get("degenerate_loop") is True
    if is_log(row):
        row = row_of_log(row, where)
    arrival = arrival_of(row, where)

    def guard_of(output: TokenArray) -> Guard | None:
        return None if guards is None else guards.of(row, output, where)

    if is_result(row):
        for each in requests_of(row, where):
            output = _encoded(each.output, "generated_texts", tokenizer, where)
            yield Trace(each.prompt, output, segment, arrival_s=each.arrival_s)
        return

    if "prompt_ids" in row and "output_ids" in row:
        prompt, output = (parse_ids(row[key], key, where) for key in ("prompt_ids", "output_ids"))
        prompt_top = read_alternatives(row, "prompt", prompt.size, where)
        output_top = read_alternatives(row, "output", output.size, where)
        yield Trace(
            prompt, output, segment, degenerate_loop, guard_of(output), prompt_top, output_top, arrival_s=arrival
        )
        return
    if "messages" in row:
        for prompt, output in _turns(row, where, tokenizer, every_answer):
            yield Trace(prompt, output, segment, degenerate_loop, guard_of(output), arrival_s=arrival)
        return
    if "prompt" not in row or "output" not in row:
        raise TraceError(
            f"{where}: a row must have prompt and output, prompt_ids and output_ids, or messages, got the keys"
            f" {shortened(list(row))}; add the missing one, or leave the row out"
        )
    for key in ("prompt", "output"):
        if not isinstance(row[key], str):
            raise TraceError(
                f"{where}: {key} must be text, got {shortened(row[key])}; token ids go into prompt_ids and output_ids"
            )
    prompt, output = (_encoded(row[key], key, tokenizer, where) for key in ("prompt", "output"))
    yield Trace(prompt, output, segment, degenerate_loop, guard_of(output), arrival_s=arrival)


def _encoded(text: str, key: str, tokenizer: Tokenizer | None, where: str) -> TokenArray:
    if SURROGATE.search(text):
        raise TraceError(f"{where}: {key} must be valid Unicode, got {shortened(text)}; pair its surrogates")
    if tokenizer is None:
        raise TraceError(
            f"{where}: a row of text needs a tokenizer, got none; pass --tokenizer, or record prompt_ids and output_ids"
        )
    return np.array(tokenizer.encode(text), np.int32)


def _turns(
    row: dict[str, Any], where: str, tokenizer: Tokenizer | None, every_answer: bool
) -> Iterator[tuple[TokenArray, TokenArray]]:
    """The prompts and outputs of a chat."""
    chat = read_chat(row, where)
    if not isinstance(tokenizer, ChatTokenizer):
        raise TraceError(
            f"{where}: messages need a tokenizer with a chat template, got"
            f" {'none' if tokenizer is None else 'one without'}; pass --tokenizer PATH_OR_NAME"
        )
    if not chat.answers:
        roles = [message["role"] for message in chat.messages]
        raise TraceError(
            f"{where}: messages must include one of the assistant's, which is the output, got {shortened(roles)};"
            " leave the row out"
        )
    for answer in chat.answers if every_answer else chat.answers[-1:]:
        prompt, output = tokenizer.turn(chat, answer)
        yield np.array(prompt, np.int32), np.array(output, np.int32)
