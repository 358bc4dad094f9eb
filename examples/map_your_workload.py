"""Which kinds of your requests should be drafted for, at which load? Recorded requests, simulated before you ship.

Two kinds of traffic are made up here; record your own as `ngramspec replay` reads them, and see docs/simulating.md.
"""

import random
from pathlib import Path

from ngramspec.decoding import FITS
from ngramspec.drafting import AdaptiveLookup
from ngramspec.pico import load_pico
from ngramspec.replay import Trace
from ngramspec.simulate import Arm, Machine, closed_loops, shuffled, simulate
from ngramspec.simulate.page import page

NAMES = ["Ada", "Grace", "Barbara", "Frances", "Hedy", "Radia", "Shafi", "Karen"]
WORDS = [
    "the",
    "a",
    "one",
    "of",
    "in",
    "by",
    "over",
    "under",
    "light",
    "stone",
    "river",
    "paper",
    "quick",
    "slow",
    "north",
    "south",
    "calls",
    "keeps",
    "turns",
    "ends",
]

_, tokenizer = load_pico()
draw = random.Random(0)


def trace(prompt: str, output: str, segment: str) -> Trace:
    ids = [tokenizer(text, return_tensors="np")["input_ids"][0].astype("int32") for text in (prompt, output)]
    return Trace(ids[0], ids[1], segment)


def extraction() -> Trace:
    """An answer that copies its prompt, in a form that all answers have."""
    name, number, total = draw.choice(NAMES), draw.randrange(10_000), draw.randrange(1_000)
    prompt = f"Invoice {number} for {name}: please pay {total} euros within thirty days of the date above."
    return trace(prompt, f'{{"invoice": {number}, "customer": "{name}", "total": {total}}}', "invoices")


def story() -> Trace:
    """An answer that repeats nothing."""
    return trace(f"Tell me of {draw.choice(NAMES)}.", " ".join(draw.choices(WORDS, k=60)), "stories")


traces = shuffled([make() for make in (extraction, story) for _ in range(60)])
fit = FITS["h100-8b"]
found = simulate(traces, Machine(fit.passes, fit.host), Arm(AdaptiveLookup), closed_loops(len(traces), (1, 8, 32)))

for name, verdict in found.segments.items():
    print(f"{name}: {verdict.words}\n")
Path("report.html").write_text(page(found, [f"{len(traces)} requests, {fit.model} on {fit.hardware}."]))
print("The plots are in report.html.")

assert found.segments["invoices"].gains[1].low > 1.0
assert found.segments["invoices"].gains[1].ratio > found.segments["stories"].gains[1].ratio
