"""Does the simulator predict the engine? The same requests, served for real and simulated from a calibration.

    python -m benchmarks.simulated [--model pico] [--requests 40] [--clients 1 4 8] [--rounds 3]

In each round the model is calibrated, and then serves a closed loop of clients with `ModelEngine`, plainly and with
drafts, which begin with the calibrated prices, as in `ngramspec serve --costs`. What it answered plainly is recorded,
as `--record` does, and simulated from the calibration. Requests are held-back items of pico's tasks, or for other
models the prompts of `real_prompts.toml`; a segment for each kind. Times are CPU time of this thread, with one torch
thread, so that other load on the machine matters less.

Latencies are the median of the rounds. "off by" is that of the simulated time, the median and the extremes of the
rounds. The verdicts are those of `ngramspec simulate`, on the times of all rounds together.
"""

import argparse
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.console import wide_console
from benchmarks.real_models import PACKAGES, folder_of, load
from benchmarks.vllm_requests import real_requests
from ngramspec import ModelEngine, Speculator
from ngramspec.calibration import calibrate
from ngramspec.calibration.model import BATCHES, COLUMNS, CONTEXTS, contexts_of
from ngramspec.decoding.calibration_file import Calibration
from ngramspec.drafting import AdaptiveLookup
from ngramspec.hf.engine.answer import Answer
from ngramspec.pico import PICO_PATH
from ngramspec.replay import Trace
from ngramspec.replay.alternatives import Alternatives
from ngramspec.simulate import (
    CONCURRENT,
    OFF,
    Arm,
    Figures,
    Gain,
    LoadResult,
    Machine,
    Pair,
    Served,
    Service,
    Simulation,
    by_segment,
    closed_loops,
    judged,
)
from training.score import held_back_examples

PERCENTILES = 50, 95
SEED = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt `int64[1, P]`, and the longest answer."""

    prompt: torch.Tensor
    max_new_tokens: int
    segment: str


Both = dict[bool, list[Served]]
"""The requests in order, plainly (False) and with drafts (True)."""


def requests_of(model: str, tokenizer: PreTrainedTokenizerBase, number: int, tokens: int) -> list[Request]:
    """`number` requests, of all kinds in turn; tokens: of an answer at the most."""
    if model == "pico":
        items = chain.from_iterable(zip(*held_back_examples(tokenizer, SEED, number).values(), strict=True))
        made = [Request(tokenizer(each.prompt, return_tensors="pt").input_ids, tokens, each.task) for each in items]
    else:
        made = [Request(_chat(tokenizer, each.prompt), each.max_tokens, each.segment) for each in real_requests(tokens)]
    return made[:number]


def _chat(tokenizer: PreTrainedTokenizerBase, prompt: str) -> torch.Tensor:
    message = [{"role": "user", "content": prompt}]
    encoded: Any = tokenizer.apply_chat_template(message, add_generation_prompt=True)
    return torch.tensor([encoded["input_ids"]])


class Real:
    """A model that serves requests. traces: what it answered plainly, by request."""

    def __init__(self, model: PreTrainedModel, requests: Sequence[Request]) -> None:
        self._model, self._requests = model, requests
        self._numbers = {tuple(each.prompt[0].tolist()): number for number, each in enumerate(requests)}
        self.traces: list[Trace] = []

    def serve(self, clients: int, costs: Path, *, drafts: bool) -> list[Served]:
        """Serve a closed loop; its times, in seconds."""
        spec = Speculator(clock=time.thread_time)
        spec.load_costs(costs)
        times = [Served(each.segment, 0.0, 0.0) for each in self._requests]
        traces: dict[int, Trace] = {}
        waiting, active = deque(range(len(times))), dict[Answer, int]()

        def record(
            prompt: Sequence[int],
            output: Sequence[int],
            top_ids: npt.NDArray[np.int32],
            top_logprobs: npt.NDArray[np.float32],
            segment: str | None,
        ) -> None:
            number, top = self._numbers.get(tuple(prompt)), Alternatives(top_ids, top_logprobs)
            if number is not None:  # none: of the warm-up
                texts = np.array(prompt, np.int32), np.array(output, np.int32)
                traces[number] = Trace(*texts, segment, output_top=top)

        with ModelEngine(self._model, spec, max_rows=clients, record=None if drafts else record) as engine:
            self._warm_up(engine, clients)
            while waiting or active:
                while waiting and len(active) < clients:
                    number = waiting.popleft()
                    asked = self._requests[number]
                    answer = engine.add(
                        asked.prompt,
                        attention_mask=torch.ones_like(asked.prompt),
                        max_new_tokens=asked.max_new_tokens,
                        do_sample=False,
                        segment=asked.segment,
                        speculate=drafts,
                    )
                    active[answer] = number
                    times[number].arrival = time.thread_time()
                for answer in engine.step():
                    ended = times[active.pop(answer)]
                    ended.end, ended.counters = time.thread_time(), answer.row.counters
        if not drafts:
            self.traces = [traces[number] for number in range(len(times))]
        return times

    def _warm_up(self, engine: ModelEngine, clients: int) -> None:
        """Let the engine allocate its memory: it decodes the longest prompts at once, backwards, so as to know none."""
        for each in sorted(self._requests, key=lambda each: each.prompt.shape[1])[-clients:]:
            prompt, mask = each.prompt.flip(1), torch.ones_like(each.prompt)
            engine.add(prompt, attention_mask=mask, max_new_tokens=each.max_new_tokens, speculate=False)
        while not engine.is_idle:
            engine.step()


def simulated(traces: Sequence[Trace], found: Calibration, clients: int) -> Both:
    """The same requests, simulated."""
    machine = Machine.of(found, max_rows=clients)
    [load] = closed_loops(len(traces), [clients])
    arms = {False: OFF, True: Arm(AdaptiveLookup, takes_trees=True)}
    return {drafts: list(Service(machine, arm).run(traces, load.arrivals()).served) for drafts, arm in arms.items()}


def verdicts(by_clients: dict[int, list[Both]]) -> Simulation:
    """The verdicts on the requests of all rounds, by clients."""
    results = []
    for clients, rounds in by_clients.items():
        on, off = ([each for both in rounds for each in both[drafts]] for drafts in (True, False))

        def pair(indices: Sequence[int], on: list[Served] = on, off: list[Served] = off) -> Pair:
            with_drafts, without = ([of[index] for index in indices] for of in (on, off))
            gain = Gain.of([each.latency for each in without], [each.latency for each in with_drafts])
            return Pair(Figures.of(with_drafts, 1.0), Figures.of(without, 1.0), gain)

        segments = by_segment([each.segment for each in on])
        results.append(
            LoadResult(clients, pair(range(len(on))), {name: pair(indices) for name, indices in segments.items()})
        )
    return judged(CONCURRENT, results, "the defaults")


def off_by(served: Sequence[float], claimed: Sequence[float]) -> str:
    """By how much the claims are off, the median and the extremes of the rounds, in per cent."""
    errors = [100 * (claim / truth - 1) for truth, claim in zip(served, claimed, strict=True)]
    return f"{median(errors):+.0f} ({min(errors):+.0f} to {max(errors):+.0f})"


def table(real: dict[int, list[Both]], claimed: dict[int, list[Both]]) -> Table:
    """Latencies by clients and arm."""
    made = Table("clients", "arm", box=SIMPLE_HEAD, pad_edge=False)
    for percentile in PERCENTILES:
        for column in (f"p{percentile} served, ms", "simulated", "off by, %"):
            made.add_column(column, justify="right")
    for column in ("gain served", "simulated"):
        made.add_column(column, justify="right")
    for clients, served in real.items():
        pairs = served, claimed[clients]
        for drafts in (False, True):
            cells = []
            for percentile in PERCENTILES:
                truths, claims = (
                    [float(np.percentile([one.latency for one in both[drafts]], percentile)) for both in rounds]
                    for rounds in pairs
                )
                cells += [f"{1e3 * median(truths):.1f}", f"{1e3 * median(claims):.1f}", off_by(truths, claims)]
            gains = [f"{median(_gain(both) for both in rounds):.2f}" for rounds in pairs] if drafts else ["", ""]
            made.add_row(str(clients), "drafts" if drafts else "plain", *cells, *gains)
    return made


def _gain(both: Both) -> float:
    off, on = ([one.latency for one in both[drafts]] for drafts in (False, True))
    return Gain.of(off, on).ratio


def main() -> None:
    """Calibrate, serve, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pico", help=f"pico, {', '.join(PACKAGES)}, or a folder (default: pico)")
    parser.add_argument("--cache", type=Path, default=Path("build/real"), help="where models of packages are converted")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=128, help="of an answer at the most")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load(PICO_PATH if given.model == "pico" else folder_of(given.model, given.cache), torch.float32)
    requests = requests_of(given.model, tokenizer, given.requests, given.tokens)
    shapes = BATCHES, COLUMNS, contexts_of(model, CONTEXTS)
    real: dict[int, list[Both]] = {clients: [] for clients in given.clients}
    claimed: dict[int, list[Both]] = {clients: [] for clients in given.clients}
    with TemporaryDirectory() as folder:
        costs = Path(folder) / "costs.json"
        for number in range(given.rounds):
            found = calibrate(model, given.model, shapes, clock=time.thread_time)
            found.write(costs)
            errors = ", ".join(f"{share:.0%} {name}" for name, share in found.fit_error.items())
            print(f"round {number + 1}: the fit is off by {errors}", flush=True)
            engine = Real(model, requests)
            for clients in given.clients:
                real[clients].append({drafts: engine.serve(clients, costs, drafts=drafts) for drafts in (False, True)})
                claimed[clients].append(simulated(engine.traces, found, clients))
    wide_console().print(table(real, claimed))
    truth, claim = verdicts(real), verdicts(claimed)
    for name in truth.segments:
        print(f"{name}: served {truth.segments[name].advice}, simulated {claim.segments[name].advice}")


if __name__ == "__main__":
    main()
