"""Requests that arrive one by one, on a real model: our engine, generate() in batches, transformers' own batching.

    python -m benchmarks.engine [--model smollm2] [--requests 64] [--rate 1.0] [--rounds 3] [--max-new 96]

The prompts are those of `benchmarks.real`, under the model's chat template with one system prompt, in an order and at
times that are drawn once (a Poisson process of `--rate` requests per second, which is more than plain decoding can
serve). Answers are greedy and end where the model ends them.

Ways: "engine", `ModelEngine` with default settings; "batches", plain `generate()` of up to eight waiting requests in
order of arrival; "batches, drafted", the same with a Speculator; "transformers", its ContinuousBatchingManager. All
take turns in one process. A request's latency is counted from its arrival to its last token.

tokens/s: tokens of all answers over the time until the last one. p50, p95: of latencies, in seconds. CPU: seconds of
all threads. All are medians over the rounds. "shared": tokens of prompts that the engine took from another request's
cache, of all prompt tokens. "texts": answers with the tokens of plain `generate()` of the prompt alone, of all; in
single precision near-ties may round otherwise.
"""

import argparse
import random
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks.console import wide_console
from benchmarks.real import PROMPTS
from benchmarks.real_models import folder_of, load
from ngramspec import ModelEngine, Speculator
from ngramspec.testing.calls import left_padded

SYSTEM = (
    "You are a careful assistant of a service that rewrites, summarises and extracts. Keep to what the text says, word"
    " for word where you can. Answer with the result alone, without a greeting and without an explanation."
)
BATCH = 8


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: seconds after the start, its prompt, and the longest answer."""

    at: float
    prompt: list[int]
    max_new_tokens: int


@dataclass(slots=True)
class Outcome:
    """The results of all requests in one way, by number: seconds from arrival to end, and the tokens."""

    latencies: dict[int, float] = field(default_factory=dict)
    texts: dict[int, list[int]] = field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0
    num_shared: int = 0


class Clock:
    """Seconds since the start, and the requests that have arrived but were not taken."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self._arrivals, self._next, self._start = arrivals, 0, time.perf_counter()

    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def arrived(self, most: int = 1 << 30) -> list[int]:
        """Take requests that have arrived, at most `most`; returns their numbers."""
        first = self._next
        while self._next < len(self._arrivals) and self._next - first < most and self._is_due():
            self._next += 1
        return list(range(first, self._next))

    def wait(self) -> None:
        """Wait until the next request arrives."""
        if self._next < len(self._arrivals):
            time.sleep(max(0.0, self._arrivals[self._next].at - self.now()))

    @property
    def is_over(self) -> bool:
        """Whether all requests have been taken."""
        return self._next == len(self._arrivals)

    def _is_due(self) -> bool:
        return self._arrivals[self._next].at <= self.now()


def by_engine(model: Any, arrivals: Sequence[Arrival], spec: Speculator) -> Outcome:
    """Each request joins when it arrives."""
    outcome, clock = Outcome(), Clock(arrivals)
    with ModelEngine(model, spec) as engine:
        numbers: dict[Any, int] = {}
        while not (clock.is_over and engine.is_idle):
            for number in clock.arrived():
                each = arrivals[number]
                answer = engine.add(
                    torch.tensor([each.prompt]), max_new_tokens=each.max_new_tokens, pad_token_id=0, do_sample=False
                )
                numbers[answer] = number
            if engine.is_idle:
                clock.wait()
                continue
            for answer in engine.step():
                number = numbers[answer]
                outcome.texts[number] = list(answer.emitted)
                outcome.latencies[number] = clock.now() - arrivals[number].at
        outcome.num_shared = engine.num_shared_tokens
    return outcome


def by_batches(model: Any, arrivals: Sequence[Arrival], spec: Speculator | None) -> Outcome:
    """Waiting requests form a batch, BATCH at most, and end together with the last one."""
    outcome, clock = Outcome(), Clock(arrivals)
    while not clock.is_over:
        numbers = clock.arrived(BATCH)
        if not numbers:
            clock.wait()
            continue
        ids, mask = left_padded([arrivals[number].prompt for number in numbers], 0, model.device)
        longest = max(arrivals[number].max_new_tokens for number in numbers)
        settings: dict[str, Any] = {} if spec is None else {"custom_generate": spec}
        settings |= {"max_new_tokens": longest, "pad_token_id": 0, "do_sample": False}
        output = model.generate(ids, attention_mask=mask, **settings)
        ends = model.generation_config.eos_token_id
        for row, number in enumerate(numbers):
            tokens = output[row, ids.shape[1] :][: arrivals[number].max_new_tokens].tolist()
            end = tokens.index(ends) + 1 if ends in tokens else len(tokens)
            outcome.texts[number] = tokens[:end]
            outcome.latencies[number] = clock.now() - arrivals[number].at
    return outcome


def by_transformers(model: Any, arrivals: Sequence[Arrival]) -> Outcome:
    """Its manager decodes in a thread of its own."""
    outcome = Outcome()
    config = ContinuousBatchingConfig(num_blocks=512, max_batch_tokens=512, auto_switch_to_flash=False)
    with model.continuous_batching_context_manager(continuous_batching_config=config, warmup=False) as manager:
        clock = Clock(arrivals)
        while len(outcome.texts) < len(arrivals):
            for number in clock.arrived():
                each = arrivals[number]
                manager.add_request(each.prompt, request_id=str(number), max_new_tokens=each.max_new_tokens)
            result = manager.get_result(timeout=0.005)
            if result is not None and result.is_finished():
                number = int(result.request_id)
                outcome.texts[number] = list(result.generated_tokens)
                outcome.latencies[number] = clock.now() - arrivals[number].at
    return outcome


def arrivals_of(tokenizer: Any, number: int, rate: float, max_new_tokens: int) -> list[Arrival]:
    """`number` requests, the same in every run."""
    drawn = random.Random(0)
    kinds = tomllib.loads(PROMPTS.read_text())
    items = [item for rows in kinds.values() for item in rows]
    at, arrivals = 0.0, []
    for _ in range(number):
        item = drawn.choice(items)
        chat = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": item["prompt"].strip()}]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        arrivals.append(Arrival(at, prompt, min(max_new_tokens, item["max_new_tokens"])))
        at += drawn.expovariate(rate)
    return arrivals


def timed(way: Callable[[], Outcome]) -> Outcome:
    """The outcome, with its wall seconds and the CPU seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = way()
    outcome.wall, outcome.cpu = time.perf_counter() - wall, time.process_time() - cpu
    return outcome


def main() -> None:
    """Serve the same arrivals in each way, in turn, then print."""
    command_line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command_line.add_argument("--model", default="smollm2", help="smollm2, or a folder (default: smollm2)")
    command_line.add_argument("--cache", type=Path, default=Path("build/models"), help="where models are converted to")
    command_line.add_argument("--requests", type=int, default=64)
    command_line.add_argument("--rate", type=float, default=1.0, help="arrivals per second (default: 1)")
    command_line.add_argument("--rounds", type=int, default=3)
    command_line.add_argument("--max-new", type=int, default=96, help="tokens of the longest answer (default: 96)")
    command_line.add_argument("--ways", nargs="+", default=None, help="some of the ways (default: all)")
    arguments = command_line.parse_args()
    model, tokenizer = load(folder_of(arguments.model, arguments.cache), torch.float32)
    arrivals = arrivals_of(tokenizer, arguments.requests, arguments.rate, arguments.max_new)
    spec = Speculator()
    ways: dict[str, Callable[[], Outcome]] = {
        "engine": lambda: by_engine(model, arrivals, spec),
        "batches": lambda: by_batches(model, arrivals, None),
        "batches, drafted": lambda: by_batches(model, arrivals, spec),
        "transformers": lambda: by_transformers(model, arrivals),
    }
    names = arguments.ways or list(ways)
    alone = [_alone(model, each) for each in arrivals]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for number in range(arguments.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            outcomes[name].append(timed(ways[name]))
    _print(outcomes, arrivals, alone)


def _alone(model: Any, each: Arrival) -> list[int]:
    ids = torch.tensor([each.prompt])
    output = model.generate(ids, max_new_tokens=each.max_new_tokens, pad_token_id=0, do_sample=False)
    tokens: list[int] = output[0, ids.shape[1] :].tolist()
    return tokens


def _print(outcomes: dict[str, list[Outcome]], arrivals: Sequence[Arrival], alone: Sequence[list[int]]) -> None:
    table = Table("way", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("tokens/s", "p50", "p95", "CPU", "shared", "texts"):
        table.add_column(column, justify="right")
    prompt_tokens = sum(len(each.prompt) for each in arrivals)
    for name, rounds in outcomes.items():
        tokens = median(sum(map(len, each.texts.values())) / each.wall for each in rounds)
        p50 = median(median(each.latencies.values()) for each in rounds)
        p95 = median(quantiles(each.latencies.values(), n=20)[-1] for each in rounds)
        same = sum(rounds[-1].texts[number] == text for number, text in enumerate(alone))
        shared = f"{rounds[-1].num_shared / prompt_tokens:.0%}" if rounds[-1].num_shared else "-"
        cpu = median(each.cpu for each in rounds)
        table.add_row(name, f"{tokens:.1f}", f"{p50:.1f}", f"{p95:.1f}", f"{cpu:.0f}", shared, f"{same}/{len(alone)}")
    wide_console().print(table)


if __name__ == "__main__":
    main()
