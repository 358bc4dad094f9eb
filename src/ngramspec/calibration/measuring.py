"""Passes of chosen shapes, made and timed by the serving engine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

from ngramspec.decoding import Budget, Clock, FixedBudget, MeasuredCosts, Shape
from ngramspec.decoding.calibration_file import MeasuredPass
from ngramspec.decoding.way import Way
from ngramspec.drafting import AdaptiveLookup, Draft, Drafter, TokenArray
from ngramspec.guards import Guard
from ngramspec.hf import Speculator
from ngramspec.hf.engine.model_engine import ModelEngine
from ngramspec.hf.entry.cost_tables import CostTables
from ngramspec.hf.seam import GenerationConfig
from ngramspec.hf.types import Model

PROMPT, PERIOD = 256, 64
"""Tokens of the prompts, and of the outputs, for timing the host; and the period after which prompts repeat."""


WARM_UP_PASSES = 8
"""Warm-up passes before the first measured one: memory is allocated, and threads start."""


class SteeredDrafting(NamedTuple):
    """The steered drafting of a pass: seconds, rows that were drafted for, and tokens that were drafted."""

    seconds: float
    rows: int
    tokens: int


class PassRecorder(MeasuredCosts):
    """Learns as for a budget, and keeps each pass. passes: those over decoding rows; prompts: those over prompts.

    steered: drafting within grammars, by pass.
    """

    def __init__(self) -> None:
        """Nothing was measured."""
        super().__init__()
        self.passes: list[tuple[Shape, float]] = []
        self.prompts: list[tuple[Shape, float]] = []
        self.steered: list[SteeredDrafting] = []

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        self.passes.append((shape, seconds))
        super().record(shape, seconds, num_tokens)

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """See `Costs`."""
        self.prompts.append((shape, seconds))
        super().record_prompt(shape, seconds)

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`."""
        if way is Way.STEERED:
            self.steered.append(SteeredDrafting(seconds, num_rows, num_tokens))
        super().record_drafting(way, seconds, num_rows, num_tokens)


class OneTable(CostTables):
    """One recorder for any model, which no other Speculator shares."""

    def __init__(self, recorder: PassRecorder) -> None:
        """recorder: records all passes."""
        super().__init__()
        self._recorder = recorder

    def of(self, model: Model, passes: str = "") -> MeasuredCosts:
        """The recorder."""
        return self._recorder


class RandomDrafter:
    """A drafter whose drafts have a chosen length, and random tokens. length: of the next drafts."""

    def __init__(self, vocabulary: int) -> None:
        """vocabulary: number of token ids. Drafts are empty at first."""
        self.length = 0
        self._vocabulary, self._drawn = vocabulary, np.random.default_rng(0)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "RandomDrafter":
        """Start a row."""
        return self

    def extend(self, tokens: TokenArray) -> None:
        """Nothing is learnt."""

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft at random."""
        return Draft(self._drawn.integers(0, self._vocabulary, min(self.length, max_tokens), np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Nothing is learnt."""

    def close(self) -> None:
        """Nothing is kept."""


def measured_passes(
    model: Model,
    recorder: PassRecorder,
    shapes: tuple[Sequence[int], Sequence[int], Sequence[int]],
    repeats: int,
    clock: Clock,
    progress: Callable[[], None],
) -> list[MeasuredPass]:
    """The median seconds of passes of all rows, columns and tokens of context in `shapes`, and of prompts.

    progress: called after each decoding pass. The first pass of a shape is a warm-up, and is not counted.
    """
    batches, columns, contexts = shapes
    found: list[MeasuredPass] = []
    drafter = RandomDrafter(model.config.vocab_size)
    host_seconds(model, 1, WARM_UP_PASSES, clock, drafts=False)
    for context in contexts:
        for rows in batches:
            prompts = len(recorder.prompts)
            room = (repeats + 1) * len(columns) + 2 * max(columns)
            budget = FixedBudget(max(columns) - 1)
            with engine_of(model, recorder, drafter, clock, rows, context, room=room, budget=budget) as engine:
                passes = len(recorder.passes)
                for width in columns:
                    drafter.length = width - 1
                    for _ in range(repeats + 1):
                        engine.step()
                        progress()
                    del recorder.passes[passes]  # the warm-up
                    found += _medians(recorder.passes[passes:])
                    passes = len(recorder.passes)
            drafter.length = 0
            found += _medians(recorder.prompts[prompts:])
    return found


def host_seconds(model: Model, rows: int, passes: int, clock: Clock, *, drafts: bool) -> float:
    """The median seconds of a step beside its pass, for this many rows that copy from their prompts."""
    recorder = PassRecorder()
    drafter: Drafter = AdaptiveLookup() if drafts else RandomDrafter(model.config.vocab_size)
    found: list[float] = []
    with engine_of(model, recorder, drafter, clock, rows, PROMPT, room=PROMPT, period=PERIOD) as engine:
        while len(found) < passes and engine.num_running == rows:
            start = clock()
            engine.step()
            found.append(clock() - start - recorder.passes[-1][1])
    return median(found[1:] or found)


def request_seconds(model: Model, number: int, clock: Clock) -> float:
    """The median seconds of adding one of `number` requests to an engine."""
    spec, found = Speculator(clock=clock), list[float]()
    config = GenerationConfig(do_sample=False, max_new_tokens=PROMPT)
    ids = torch.zeros((1, PERIOD), dtype=torch.int64, device=model.device)
    with ModelEngine(model, spec, max_rows=1, max_cache_bytes=1 << 62) as engine:
        for _ in range(number):
            start = clock()
            answer = engine.add(ids, attention_mask=torch.ones_like(ids), generation_config=config)
            found.append(clock() - start)
            engine.remove(answer)
    return median(found[1:] or found)


@contextmanager
def engine_of(
    model: Model,
    recorder: PassRecorder,
    drafter: Drafter,
    clock: Clock,
    rows: int,
    context: int,
    *,
    room: int,
    budget: Budget | None = None,
    period: int = 0,
    guard: Guard | None = None,
    ends: int | None = None,
) -> Iterator[ModelEngine]:
    """An engine whose `rows` have read prompts of `context` tokens, and write at most `room` tokens each.

    period: after which prompts repeat themselves. guard: of all rows. ends: the token that ends a row, if one does.
    """
    spec = Speculator(drafter, budget, clock=clock)
    spec.costs = OneTable(recorder)
    drawn, num_prompts = torch.Generator().manual_seed(rows), len(recorder.prompts)
    config = GenerationConfig(do_sample=False, max_new_tokens=room, eos_token_id=ends)
    with ModelEngine(model, spec, max_rows=rows, max_prompt_tokens=context, max_cache_bytes=1 << 62) as engine:
        for _ in range(rows):
            ids = torch.randint(0, model.config.vocab_size, (1, period or context), generator=drawn)
            ids = ids.repeat(1, -(-context // ids.shape[1]))[:, :context]
            ids = ids.to(model.device)
            processors = [] if guard is None else [guard]
            engine.add(ids, attention_mask=torch.ones_like(ids), generation_config=config, logits_processor=processors)
        while len(recorder.prompts) < num_prompts + rows:
            engine.step()
        yield engine


def _medians(passes: Sequence[tuple[Shape, float]]) -> list[MeasuredPass]:
    """Medians by shape; contexts that differ by a few tokens count as the shortest of them."""
    by_shape: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for shape, seconds in passes:
        by_shape.setdefault((shape.rows, shape.columns), []).append((shape.context, seconds))
    return [
        MeasuredPass(rows, columns, min(context for context, _ in found), median(seconds for _, seconds in found))
        for (rows, columns), found in by_shape.items()
    ]
