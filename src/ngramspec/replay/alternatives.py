"""The tokens that a model found likely at each position of a text, from a recording."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import Likely, TokenArray
from ngramspec.errors import TraceError, shortened
from ngramspec.replay.ids import parse_ids

LEAST_LOGPROB = -10_000
"""Lowest logarithm of a probability: nothing less likely is worth recording, and a float can hold it."""


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """The likeliest tokens at each position of a text of n tokens.

    ids: `int32[n, k]`, the likeliest first. logprobs: `float32[n, k]`, natural logarithms of their probabilities. Entry
    i of an output is the distribution that chose its token i; of a prompt, the distribution after its token i.
    """

    ids: TokenArray
    logprobs: npt.NDArray[np.float32]

    @property
    def likely(self) -> Likely:
        """The same for sessions that heed it."""
        return Likely(self.ids.astype(np.int64), np.exp(self.logprobs.astype(np.float64)))


def read_alternatives(row: Mapping[str, object], text: str, num_tokens: int, where: str) -> Alternatives | None:
    """The keys `{text}_top_ids` and `{text}_top_logprobs` of a row with `num_tokens` in that text; None without them.

    text: "prompt" or "output". Raises TraceError, which begins with `where`, unless both have a list for each token,
    all of these lists are equally long, and the logarithms are at most 0.
    """
    keys = f"{text}_top_ids", f"{text}_top_logprobs"
    missing = [key for key in keys if key not in row]
    if len(missing) == len(keys):
        return None
    if missing:
        raise TraceError(
            f"{where}: {keys[0]} and {keys[1]} must come together, got no {missing[0]}; record both, or neither"
        )
    ids, logprobs = (_lists(row[key], key, f"{text}_ids", num_tokens, where) for key in keys)
    width = len(ids[0]) if ids and isinstance(ids[0], list) else 0
    for position, (some, likely) in enumerate(zip(ids, logprobs, strict=True)):
        parse_ids(some, f"{keys[0]}[{position}]", where)
        _check_logprobs(likely, f"{keys[1]}[{position}]", where)
        for key, values in zip(keys, (some, likely), strict=True):
            if len(values) != width:
                raise TraceError(
                    f"{where}: {key}[{position}] must be as long as {keys[0]}[0], {width}, got {len(values)}; record"
                    " the same number of tokens at each position"
                )
    shape = num_tokens, width
    return Alternatives(np.array(ids, np.int32).reshape(shape), np.array(logprobs, np.float32).reshape(shape))


def _lists(value: object, key: str, tokens: str, num_tokens: int, where: str) -> list[list[int]]:
    """`value`, checked to be a list with one entry for each token."""
    if not isinstance(value, list):
        raise TraceError(
            f"{where}: {key} must be a list with a list for each token of {tokens}, got {shortened(value)};"
            " write [[1, 2], [3, 4]]"
        )
    if len(value) != num_tokens:
        raise TraceError(
            f"{where}: {key} must have a list for each of the {num_tokens} tokens of {tokens}, got {len(value)};"
            " record all positions, or leave the key out"
        )
    return value


def _check_logprobs(values: object, key: str, where: str) -> None:
    if not isinstance(values, list):
        raise TraceError(f"{where}: {key} must be a list of numbers, got {shortened(values)}; write [-0.1, -2.5]")
    for rank, value in enumerate(values):
        if type(value) not in (int, float) or not LEAST_LOGPROB <= value <= 0:  # NaN fails too
            raise TraceError(
                f"{where}: {key}[{rank}] must be a number from {LEAST_LOGPROB} to 0, got {shortened(value)}; record"
                " the natural logarithms of probabilities"
            )
