"""The arms take turns over the same batches, so that what disturbs the machine disturbs all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ngramspec.bench.arms import Arm, Call
from ngramspec.decoding import Clock
from ngramspec.stats import Counters
from ngramspec.testing.calls import left_padded

WARM_UP_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt as token ids, at least one, and its segment."""

    prompt: Sequence[int]
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An arm's answer to a request. call: number of the call that made it, which took `seconds`."""

    tokens: list[int]
    counters: Counters
    call: int
    seconds: float


def batches(requests: Sequence[Request], size: int) -> Iterator[Sequence[Request]]:
    """The requests in calls of `size`; the last one may have fewer."""
    for start in range(0, len(requests), size):
        yield requests[start : start + size]


def num_calls(num_requests: int, sizes: Sequence[int], arms: Sequence[Arm]) -> int:
    """How often `take_turns` reports its progress, for all of `sizes`."""
    return sum(-(-num_requests // size) * len(arms_for(arms, size)) for size in sizes)


def warm_up(model: Any, arms: Sequence[Arm], requests: Sequence[Request], size: int, pad_token: int | None) -> None:
    """Each arm decodes a few tokens of the first batch, so that no figure includes what a first call prepares."""
    call = call_of(model, requests[:size], WARM_UP_TOKENS, pad_token)
    for arm in arms_for(arms, size):
        arm.decode(replace(call, segments=[None] * len(call.segments)))  # so that nothing enters a history


def arms_for(arms: Sequence[Arm], size: int) -> list[Arm]:
    """Those of `arms` that decode batches of `size`."""
    return [arm for arm in arms if arm.most_rows is None or size <= arm.most_rows]


def take_turns(
    model: Any,
    arms: Sequence[Arm],
    requests: Sequence[Request],
    size: int,
    *,
    max_new_tokens: int,
    pad_token: int | None,
    clock: Clock,
    progress: Callable[[], None],
) -> dict[str, list[Answer]]:
    """The answers of each arm to all `requests`, in their order, in batches of `size`.

    The arm that begins changes from batch to batch. progress: called after each call. clock: times them, in seconds.
    """
    ready = arms_for(arms, size)
    answers: dict[str, list[Answer]] = {arm.name: [] for arm in ready}
    ends = _ends(model)
    for number, batch in enumerate(batches(requests, size)):
        call = call_of(model, batch, max_new_tokens, pad_token)
        first = number % len(ready)
        for arm in ready[first:] + ready[:first]:
            start = clock()
            output = arm.decode(call).cpu()  # the copy waits for the device
            seconds = clock() - start
            rows = [_until_end(row, ends) for row in output[:, _offset(model, call) :].tolist()]
            counted = arm.counted([len(row) for row in rows])
            answers[arm.name] += [
                Answer(row, counters, number, seconds) for row, counters in zip(rows, counted, strict=True)
            ]
            progress()
    return answers


def call_of(model: Any, batch: Sequence[Request], max_new_tokens: int, pad_token: int | None) -> Call:
    """The requests of a batch as one call, padded on the left."""
    ids, mask = left_padded([list(each.prompt) for each in batch], 0 if pad_token is None else pad_token, model.device)
    return Call({"input_ids": ids, "attention_mask": mask}, [each.segment for each in batch], max_new_tokens)


def _offset(model: Any, call: Call) -> int:
    """Where the answer begins: after the prompt, or after a decoder's start token."""
    return 1 if model.config.is_encoder_decoder else call.inputs["input_ids"].shape[1]


def _ends(model: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    return set() if ends is None else {ends} if isinstance(ends, int) else set(ends)


def _until_end(row: list[int], ends: set[int]) -> list[int]:
    """The answer without the padding after its end of sequence."""
    end = next((position for position, token in enumerate(row) if token in ends), len(row))
    return row[: end + 1]
