"""The cost of a pass of a large hybrid here, measured on one layer of each kind at its real width.

All layers of a kind cost the same. So passes of a model with one layer of each are measured, layer by layer, and
multiplied by the numbers of layers in the whole model; the rest of a pass (embedding, head) counts once. The copy of
the running states before a draft, and its restoration, are counted, too.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from ngramspec import FixedBudget, Speculator
from ngramspec.calibration.measuring import OneTable, PassRecorder, RandomDrafter
from ngramspec.decoding import Clock, MeasuredCosts, Shape
from ngramspec.drafting import Draft
from ngramspec.hf.seam import cache_of
from ngramspec.hf.target.state_cache import StateCache
from ngramspec.testing.forwards import Forwards, timed_forwards

PROMPT = 256
LENGTHS = (0, 0, 1, 3, 7, 15, 31)
"""Drafted tokens of successive passes. All are rejected, so known tokens widen the later passes."""


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A model's shape. config: of a model with one layer of each kind; counts: numbers of layers in the whole model."""

    config: Any
    model_class: Any
    counts: tuple[int, ...]


class _Cycling(RandomDrafter):
    """Drafts arbitrary tokens, as many as `LENGTHS` says in turn."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__(vocabulary)
        self._lengths: Iterator[int] = itertools.cycle(LENGTHS)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """See `RandomDrafter`."""
        self.length = next(self._lengths)
        return super().propose(max_tokens)


def pass_seconds(hybrid: Hybrid, clock: Clock, rounds: int) -> dict[int, float]:
    """Minimum seconds of a pass of one row, by columns, in bfloat16 after a prompt of 256 tokens."""
    model = _filled(hybrid)
    recorder, spec = (
        PassRecorder(),
        Speculator(_Cycling(model.config.vocab_size), FixedBudget(max(LENGTHS)), clock=clock),
    )
    spec.costs = OneTable(recorder)
    with ExitStack() as stack:
        layers = [stack.enter_context(timed_forwards(layer, clock)) for layer in model.model.layers]
        whole = stack.enter_context(timed_forwards(model, clock))
        ids = torch.randint(0, model.config.vocab_size, (1, PROMPT))
        more = rounds * len(LENGTHS) + 1
        model.generate(ids, max_new_tokens=more, do_sample=False, eos_token_id=None, custom_generate=spec)
    copies = _copy_seconds(model, hybrid, clock)
    found: dict[int, list[float]] = defaultdict(list)
    for number, (shape, _) in enumerate(recorder.passes, start=1):  # the first pass reads the prompt
        each = [_took(layer, number) for layer in layers]
        repeated = sum((count - 1) * seconds for count, seconds in zip(hybrid.counts, each, strict=True))
        found[shape.columns].append(_took(whole, number) + repeated)
    return {columns: min(seconds) + (copies if columns > 1 else 0.0) for columns, seconds in sorted(found.items())}


def table_of(seconds: Mapping[int, float]) -> MeasuredCosts:
    """The costs of a budget that measured these `seconds` for passes of one row, by columns."""
    costs = MeasuredCosts()
    for _ in range(3):  # from then on a median is trusted
        for columns, each in sorted(seconds.items()):
            costs.record(Shape(1, columns, columns, PROMPT), each, 1)
    return costs


def _filled(hybrid: Hybrid) -> Any:
    """A model of the shape in bfloat16 with equal weights, which cost as much as others and are quick to make."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            model = hybrid.model_class(hybrid.config)
    finally:
        torch.set_default_dtype(before)
    model = model.to_empty(device="cpu").eval()
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        if tensor.is_floating_point():
            torch.nn.init.constant_(tensor, 0.01)
    return model


def _copy_seconds(model: Any, hybrid: Hybrid, clock: Clock) -> float:
    """Seconds to copy the states of all layers, and to restore them."""
    with torch.no_grad():
        cache = StateCache(model)
        ids = torch.zeros((1, 2), dtype=torch.long)
        held = cache_of(model(input_ids=ids, use_cache=True, return_dict=True))
    num_bytes = 0
    for count, own, layer in zip(hybrid.counts, cache.layers, held.layers, strict=True):
        if hasattr(own, "state_bytes"):
            states = [*layer.conv_states.values(), *layer.recurrent_states.values()]
            num_bytes += count * sum(state.nbytes for state in states if state is not None)
    all_states = torch.ones(num_bytes, dtype=torch.uint8)
    took = []
    for _ in range(5):
        start = clock()
        all_states.copy_(all_states.clone())
        took.append(clock() - start)
    return min(took)


def _took(forwards: Forwards, number: int) -> float:
    return forwards.ends[number] - forwards.starts[number]
