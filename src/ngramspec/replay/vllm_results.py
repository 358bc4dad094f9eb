"""Results of `vllm bench serve --save-result --save-detailed`: all requests of a run in one JSON object.

They hold each answer, when its request was sent, and the length of its prompt, but not the prompt. So a prompt is
represented by tokens that occur nowhere else: it costs its time, and nothing is copied from it. Drafts then come from
earlier answers only, and their gain is a lower bound.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ngramspec.drafting.types import TokenArray
from ngramspec.errors import TraceError, shortened
from ngramspec.files.checking import checked_int, checked_number, checked_text
from ngramspec.replay.ids import MAX_ID
from ngramspec.replay.logs import MOST_SECONDS

MOST_PROMPT_TOKENS = 1 << 26
"""Most tokens of all prompts of one result together."""


class Result(NamedTuple):
    """One request. prompt: `int32[P]`, unknown tokens. arrival_s: when it was sent, if that was saved."""

    prompt: TokenArray
    output: str
    arrival_s: float | None


def is_result(row: dict[str, Any]) -> bool:
    """Whether the row is the result of a run."""
    return row.keys() >= {"generated_texts", "input_lens"}


def requests_of(row: dict[str, Any], where: str) -> Iterator[Result]:
    """Its requests; those that failed have no output. Raises TraceError for lists that do not match."""
    texts, lengths, times = (row.get(key) for key in ("generated_texts", "input_lens", "start_times"))
    if not (isinstance(texts, list) and isinstance(lengths, list) and isinstance(times, list | None)):
        raise TraceError(
            f"{where}: generated_texts, input_lens and start_times must be lists, got {shortened(row)};"
            " save the result with --save-detailed"
        )
    if len(texts) != len(lengths) or (times is not None and len(times) != len(texts)):
        raise TraceError(
            f"{where}: generated_texts, input_lens and start_times must be equally long, got {len(texts)},"
            f" {len(lengths)} and {'none' if times is None else len(times)}; save the result again"
        )
    left = MOST_PROMPT_TOKENS
    for index, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        try:
            size = checked_int(length, f"input_lens[{index}]", 0, left)
            answer = checked_text(text, f"generated_texts[{index}]")
            time = None if times is None else checked_number(times[index], f"start_times[{index}]", 0.0, MOST_SECONDS)
        except ValueError as error:
            raise TraceError(f"{where}: {error}; save the result again") from error
        left -= size
        yield Result(np.arange(MAX_ID - size, MAX_ID, dtype=np.int32), answer, time)
