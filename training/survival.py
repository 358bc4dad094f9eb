"""Learns from recorded traffic how sure matches are, so that a new drafter need not begin with nothing.

    python -m training.survival TRACES... [--schemas FILES...]      # writes src/ngramspec/drafting/prior.json

The recordings are replayed twice, shuffled, with an adaptive lookup that drafts as it would alone on a GPU. Of the
second time, which begins with empty histories, the mean of the weights is kept: single lessons no longer show in it.
A third time, the drafter also learns what to think of text that is spelled alike; and a last time, from function calls,
instances of schemas and SQL under their guards, what the evidence is worth that a text is foreseen by.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.drafting import AdaptiveLookup, prior
from ngramspec.drafting.core import Survival
from ngramspec.replay import Trace, load_tokenizer, read_traces, replay
from training.guarded import function_calls, instances, statements

HOME = Path(prior.__file__).with_name(prior.FILE)
NUM_SAMPLES = 60
"""Times at which the weights are looked at, in a replay."""


def learnt(
    traces: Sequence[Trace], guarded: Sequence[Trace], vocabulary: Sequence[bytes], seed: int = 0
) -> list[float | None]:
    """The mean weights; None for those that nothing has moved.

    guarded: requests with guards. vocabulary: the bytes of each token. What is spelled alike, and what is foreseen, is
    learnt last, beside the weights that are known by then, so that a drafter without a vocabulary, or a row without a
    guard, knows what it would know if there were no such source.
    """
    survival = Survival(knows_nothing=True)
    shuffled = list(traces)
    random.Random(seed).shuffle(shuffled)
    _play(shuffled, AdaptiveLookup(survival))
    random.Random(seed + 1).shuffle(shuffled)
    weights = _means(shuffled, AdaptiveLookup(survival))
    spelled = _means(shuffled, AdaptiveLookup(survival, vocabulary=vocabulary))
    mixed = list(guarded)
    random.Random(seed + 2).shuffle(mixed)
    foreseen = _means(mixed, AdaptiveLookup(survival, vocabulary=vocabulary))
    return [weight or later or last or None for weight, later, last in zip(weights, spelled, foreseen, strict=True)]


def _means(traces: Sequence[Trace], drafter: AdaptiveLookup) -> list[float]:
    size = -(-len(traces) // NUM_SAMPLES)
    seen = []
    for start in range(0, len(traces), size):
        _play(traces[start : start + size], drafter)
        seen.append(drafter.survival.weights)
    means: list[float] = np.mean(seen, axis=0).tolist()
    return means


def _play(traces: Sequence[Trace], drafter: AdaptiveLookup) -> None:
    replay(traces, drafter, budget=AdaptiveBudget(), costs=fitted("h100-8b"))


def main() -> None:
    """Write the file."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("traces", nargs="+", type=Path, help="recorded requests, as `ngramspec replay` reads them")
    made.add_argument("--schemas", nargs="*", type=Path, default=[], help="schemas with instances, as JSON lines")
    made.add_argument("--tokenizer", default="tekken")
    made.add_argument("--output", type=Path, default=HOME)
    arguments = made.parse_args()
    tokenizer = load_tokenizer(arguments.tokenizer)
    traces = [trace for path in arguments.traces for trace in read_traces(path, tokenizer)]
    vocabulary = tokenizer.vocabulary
    kinds = [function_calls(arguments.traces, vocabulary), *instances(arguments.schemas, vocabulary).values()]
    kinds += statements(arguments.traces, vocabulary).values()
    guarded = [trace for kind in kinds for trace in kind.traces]
    arguments.output.write_text(prior.written(learnt(traces, guarded, vocabulary.tokens)), encoding="utf-8")


if __name__ == "__main__":
    main()
