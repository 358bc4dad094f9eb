"""The ways in which the same prompts are decoded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ngramspec.hf import Speculator
from ngramspec.stats import Counters, Stats

PLAIN, LOOKUP, OURS = "plain", "lookup", "drafts"

LOOKUP_TOKENS = 10
"""Longest draft of transformers' prompt lookup, its own default."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `generate()`. inputs: `input_ids` and `attention_mask`, `int64[B, P]`. segments: of each row.

    max_new_tokens: most tokens that each row emits.
    """

    inputs: dict[str, Tensor]
    segments: Sequence[str | None]
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to decode a call. decode: returns `int64[B, n]`, as `generate()` does.

    counted: counters of the rows of the latest call, given the number of tokens that each has emitted.
    most_rows: the largest batch that it decodes; None: any.
    """

    name: str
    decode: Callable[[Call], Tensor]
    counted: Callable[[Sequence[int]], list[Counters]]
    most_rows: int | None = None


class RowStats(Stats):
    """Keeps the counters of each row beside their sums. rows: in the order in which they were added."""

    def __init__(self) -> None:
        """Nothing was counted."""
        super().__init__()
        self.rows: list[Counters] = []

    def add(self, counters: Counters, segment: str | None = None, template: int | None = None) -> None:
        """See `Stats`."""
        self.rows.append(counters)
        super().add(counters, segment, template)


def arms_of(model: Any, spec: Speculator, *, pad_token: int | None, with_lookup: bool) -> list[Arm]:
    """Plain decoding, transformers' prompt lookup if requested, and `spec`, whose statistics are replaced."""
    stats = spec.stats = RowStats()

    def generated(call: Call, **more: Any) -> Tensor:
        output: Tensor = model.generate(**_arguments(call, pad_token), **more)
        return output

    def drafted(call: Call) -> Tensor:
        stats.rows.clear()
        output: Tensor = spec.generate(model, **_arguments(call, pad_token), segment=list(call.segments))
        return output

    lookup = Arm(LOOKUP, lambda call: generated(call, prompt_lookup_num_tokens=LOOKUP_TOKENS), _uncounted, most_rows=1)
    return [
        Arm(PLAIN, generated, _undrafted),
        *([lookup] if with_lookup else []),
        Arm(OURS, drafted, lambda sizes: list(stats.rows)),
    ]


def lookup_refusal(model: Any, call: Call, *, pad_token: int | None) -> str | None:
    """Why transformers' prompt lookup does not decode `call` of one row; None if it does."""
    try:
        model.generate(**_arguments(call, pad_token), prompt_lookup_num_tokens=LOOKUP_TOKENS)
    except (ValueError, NotImplementedError) as error:  # transformers refuses models with states, and others
        return str(error)
    return None


def _arguments(call: Call, pad_token: int | None) -> dict[str, Any]:
    """The arguments of `generate()`."""
    return {**call.inputs, "do_sample": False, "max_new_tokens": call.max_new_tokens, "pad_token_id": pad_token}


def _undrafted(sizes: Sequence[int]) -> list[Counters]:
    return [Counters(requests=1, tokens=size, target_passes=size) for size in sizes]


def _uncounted(sizes: Sequence[int]) -> list[Counters]:
    """transformers does not report how many passes it made."""
    return [Counters(requests=1, tokens=size) for size in sizes]
