"""Does the simulator predict the engine? The same requests, served for real and simulated from a calibration.

    python -m benchmarks.simulated [--model pico] [--requests 40] [--clients 1 4 8]

The model is calibrated first, then serves a closed loop of clients that ask it to correct texts, with drafts and
without. Its answers are then simulated from the calibration. Times are CPU time of this thread, with one torch thread,
so that other load on the machine matters less.
"""

import argparse
import random
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.console import wide_console
from ngramspec import ModelEngine, Speculator
from ngramspec.calibration import calibrate
from ngramspec.calibration.model import BATCHES, COLUMNS, CONTEXTS, contexts_of
from ngramspec.cli.loading import load
from ngramspec.drafting import AdaptiveLookup
from ngramspec.hf.engine.answer import Answer
from ngramspec.pico import rewrite_prompt
from ngramspec.replay import Trace
from ngramspec.simulate import OFF, Arm, Machine, Service, closed_loops

SEGMENT = "corrections"
WORDS = [
    "river",
    "paper",
    "stone",
    "garden",
    "window",
    "letter",
    "market",
    "winter",
    "engine",
    "silver",
    "captain",
    "morning",
    "harbour",
    "village",
    "teacher",
    "summer",
    "station",
    "kitchen",
    "mountain",
    "lantern",
    "bridge",
    "painter",
    "orchard",
    "whistle",
]


@dataclass(frozen=True, slots=True)
class Run:
    """Latencies by request, in seconds, and the answers, if it was served for real."""

    latencies: list[float]
    outputs: list[list[int]]


def served(model: torch.nn.Module, prompts: list[torch.Tensor], clients: int, *, drafts: bool) -> Run:
    """Serve a closed loop for real."""
    spec = Speculator(clock=time.thread_time)
    latencies, outputs = [0.0] * len(prompts), [[0]] * len(prompts)
    waiting = deque(range(len(prompts)))
    active: dict[Answer, tuple[int, float]] = {}
    with ModelEngine(model, spec, max_rows=clients) as engine:
        while waiting or active:
            while waiting and len(active) < clients:
                number = waiting.popleft()
                ids = prompts[number]
                answer = engine.add(
                    ids, attention_mask=torch.ones_like(ids), max_new_tokens=128, segment=SEGMENT, speculate=drafts
                )
                active[answer] = number, time.thread_time()
            for answer in engine.step():
                number, start = active.pop(answer)
                latencies[number], outputs[number] = time.thread_time() - start, list(answer.emitted)
    return Run(latencies, outputs)


def main() -> None:
    """Calibrate, serve, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="pico", help="pico, or a folder (default: pico)")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8])
    given = parser.parse_args()
    loaded = load(given.model)
    torch.set_num_threads(1)
    shapes = BATCHES, COLUMNS, contexts_of(loaded.model, CONTEXTS)
    found = calibrate(loaded.model, given.model, shapes, clock=time.thread_time)
    print(f"fit off by {found.fit_error['median']:.0%} at the median, {found.fit_error['worst']:.0%} at worst")
    draw = random.Random(0)
    prompts = []
    for _ in range(given.requests):
        text = " ".join(draw.choices(WORDS, k=40))
        old, new = text.split()[draw.randrange(40)], draw.choice(WORDS)
        prompts.append(loaded.tokenizer(rewrite_prompt(old, new, text), return_tensors="pt").input_ids)
    table = Table("clients", "arm", box=SIMPLE_HEAD, pad_edge=False)
    for column in (
        "p50 served",
        "simulated",
        "off by",
        "p95 served",
        "simulated",
        "off by",
        "gain served",
        "simulated",
    ):
        table.add_column(column, justify="right")
    for clients in given.clients:
        served(loaded.model, prompts[:2], clients, drafts=True)  # warm-up
        real = {drafts: served(loaded.model, prompts, clients, drafts=drafts) for drafts in (False, True)}
        traces = [
            Trace(prompt[0].numpy().astype(np.int32), np.array(output, np.int32), SEGMENT)
            for prompt, output in zip(prompts, real[False].outputs, strict=True)
        ]
        machine = Machine(found.passes, found.host, max_rows=clients)
        (each,) = closed_loops(len(traces), [clients])
        arms = {False: OFF, True: Arm(AdaptiveLookup)}
        simulated = {
            drafts: [one.latency for one in Service(machine, arm).run(traces, each.arrivals()).served]
            for drafts, arm in arms.items()
        }
        gains = [
            np.mean(of[False]) / np.mean(of[True])
            for of in ({drafts: run.latencies for drafts, run in real.items()}, simulated)
        ]
        for drafts in (False, True):
            cells = []
            for percentile in (50, 95):
                truth, claim = (np.percentile(of, percentile) for of in (real[drafts].latencies, simulated[drafts]))
                cells += [f"{1e3 * truth:.1f} ms", f"{1e3 * claim:.1f} ms", f"{claim / truth - 1:+.0%}"]
            gain = [f"{each:.2f}" for each in gains] if drafts else ["", ""]
            table.add_row(str(clients), "drafts" if drafts else "plain", *cells, *gain)
    wide_console().print(table)


if __name__ == "__main__":
    main()
