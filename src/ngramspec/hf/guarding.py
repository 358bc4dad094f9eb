"""Guards at work in one call: the masks of all positions of a pass, filled on other threads while the model computes.

A guard stands among the logits processors, and where it stood a `Masking` does its work. It fails closed: where a
backend cannot say what is allowed, or another processor has led to a token that is not, the row ends, and the call
raises once the other rows have ended too.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ngramspec.drafting.types import TokenArray
from ngramspec.errors import GuardError
from ngramspec.guards import BitmaskArray, Guard, GuardProcessor, Matcher, RowGuards
from ngramspec.guards.processor import check_fits, masked, nothing_allowed
from ngramspec.guards.types import is_set, num_words
from ngramspec.hf.refusals import vocabulary
from ngramspec.hf.request import Request
from ngramspec.hf.seam import LogitsProcessorList

MAX_THREADS = 4

Place = tuple[int, int]
"""A row, and the position in its draft that is judged."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The masks along a row's draft: bits `int32[K + 1, W]`, of which `num_legal + 1` count; or why there are none."""

    bits: BitmaskArray
    num_legal: int
    error: GuardError | None = None


class Masking:
    """One guard's masks, as a logits processor that is told which places the scores are of."""

    def __init__(self, matchers: list[Matcher | None]) -> None:
        """matchers: one per row, None for rows that are free."""
        self.matchers = matchers
        self._filling: dict[int, Future[Filled]] = {}
        self._places: Sequence[Place | None] = ()

    def begin(self, row: int, draft: TokenArray, pool: ThreadPoolExecutor) -> None:
        """Start to fill the masks along `draft`."""
        matcher = self.matchers[row]
        if matcher is not None:
            self._filling[row] = pool.submit(_fill, matcher, draft)

    def filled(self, row: int) -> Filled | None:
        """The masks of a row, waited for; None for one that is free."""
        return None if self.matchers[row] is None else self._filling[row].result()

    def at(self, places: Sequence[Place | None]) -> None:
        """Say what the next scores `[n, V]` are of; None for what nobody looks at."""
        self._places = places

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` `float32[n, V]`, masked where a guard holds."""
        lines, rows = [], []
        for line, place in enumerate(self._places):
            filled = None if place is None else self.filled(place[0])
            if place is not None and filled is not None and filled.error is None:
                lines.append(line)
                rows.append(filled.bits[place[1]])
        if not lines:
            return scores
        bits = rows[0][None] if len(rows) == 1 else _stacked(rows)
        if len(lines) == len(scores):
            return masked(scores, bits)
        scores = scores.clone()
        scores[lines] = masked(scores[lines], bits)
        return scores


@dataclass(slots=True)
class Guards:
    """All guards of a call, and the rows that ended with an error; others: what else processes scores, by name."""

    maskings: list[Masking] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    failed: dict[int, GuardError] = field(default_factory=dict)
    _pool: ThreadPoolExecutor | None = None

    def matchers(self, row: int) -> list[Matcher]:
        """The matchers that must follow the row's text."""
        return [matcher for masking in self.maskings if (matcher := masking.matchers[row]) is not None]

    def begin(self, row: int, draft: TokenArray) -> None:
        """Start to fill the masks along the row's draft."""
        for masking in self.maskings:
            if self._pool is None:
                num_threads = min(MAX_THREADS, os.cpu_count() or 1)
                self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="ngramspec-guard")
            masking.begin(row, draft, self._pool)

    def __enter__(self) -> "Guards":
        """Guards at work until the `with` block ends; then their threads have ended too."""
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for the threads, and let them go."""
        if self._pool is not None:
            self._pool.shutdown()

    def num_legal(self, row: int, num_drafted: int) -> int:
        """Length of the head of the row's draft that can be judged: behind it there are no masks."""
        filled = [masking.filled(row) for masking in self.maskings]
        return min([each.num_legal for each in filled if each is not None], default=num_drafted)

    def at(self, places: Sequence[Place | None]) -> None:
        """Say what the next scores are of; see `Masking.at`."""
        for masking in self.maskings:
            masking.at(places)

    def why_stuck(self, place: Place) -> GuardError | None:
        """Why no token can be chosen at `place`; None where one can."""
        row, position = place
        for masking in self.maskings:
            filled, matcher = masking.filled(row), masking.matchers[row]
            if filled is None or matcher is None:
                continue
            if filled.error is not None:
                return filled.error
            if not filled.bits[position].any():
                return nothing_allowed(matcher, row)
        return None

    def allow(self, place: Place, token: int) -> bool:
        """Whether all masks allow `token` at `place`."""
        row, position = place
        every = [filled for masking in self.maskings if (filled := masking.filled(row)) is not None]
        return all(token < filled.bits.shape[1] * 32 and is_set(filled.bits[position], token) for filled in every)

    def why_refused(self, place: Place, token: int) -> GuardError | None:
        """Why `token` may not be emitted at `place`; None where it may."""
        if self.allow(place, token):
            return None
        text = self.matchers(place[0])[0].vocabulary.decode([token])
        who = ", ".join(self.others) or "another processor"
        return GuardError(
            f"a guard's mask must decide, got token {token} ({text!r}), which it forbids: {who} leaves"
            " nothing that is allowed, or allows it again"
        )

    def advance(self, row: int, tokens: Sequence[int]) -> None:
        """Follow the row's text; raises GuardError where a backend cannot."""
        for matcher in self.matchers(row):
            matcher.advance(tokens)

    def fail(self, row: int, error: GuardError, emitted: Sequence[int]) -> None:
        """Note that the row ends with `error`, behind the tokens `emitted`."""
        vocabulary = self.matchers(row)[0].vocabulary
        error.row, error.tokens = row, list(emitted)
        error.text = vocabulary.decode(emitted).decode(errors="replace")
        self.failed[row] = error
        for masking in self.maskings:
            masking.matchers[row] = None  # what follows is padding

    def raise_failed(self, sequences: Tensor) -> None:
        """Raise what the first row failed with, if one did; `sequences` are what all rows came to."""
        for row, error in sorted(self.failed.items()):
            error.sequences = sequences
            if len(self.failed) > 1:
                error.add_note(f"rows {sorted(self.failed)} ended with such errors; this is row {row}'s")
            raise error


def with_masking(
    processors: LogitsProcessorList, input_ids: Tensor, eos_tokens: set[int], num_returned: int
) -> tuple[Any, Guards]:
    """`processors` with a Masking in the place of each guard, and the guards; the same list where there are none.

    input_ids: `int64[B, P]`, padded: as plain decoding's processors see them. num_returned: sequences that are
    returned for each prompt.
    Raises GuardError where a guard holds and nothing would ever end a row.
    """
    guards = Guards()
    replaced = LogitsProcessorList()
    for processor in processors:
        matchers = _matchers(processor, input_ids, eos_tokens, num_returned)
        if matchers is None:
            guards.others.append(type(processor).__name__)
            replaced.append(processor)
            continue
        masking = Masking(matchers)
        guards.maskings.append(masking)
        replaced.append(masking)
    return (replaced, guards) if guards.maskings else (processors, guards)


def with_processors(processors: Any, eos_tokens: Sequence[int] | None) -> LogitsProcessorList:
    """`processors` with a GuardProcessor in the place of each guard: for plain decoding."""

    def followed(processor: Any) -> Any:
        if not isinstance(processor, Guard | RowGuards):
            return processor
        _check_ends(processor, eos_tokens)
        return processor.processor(eos_tokens)

    return LogitsProcessorList(map(followed, processors))


def check_vocabularies(request: Request) -> None:
    """Raise GuardError where a guard among the processors was surely made with another model's tokenizer.

    What can be known: the ids that the model has, those of the prompt, and its own ends of sequence, which are special
    tokens. Two tokenizers of one size that agree in these are taken for one.
    """
    model, ids = request.model, request.input_ids
    real = ids if request.mask is None else ids[request.mask[:, -ids.shape[1] :] != 0]
    own = model.generation_config.eos_token_id
    ends = request.stops.eos_tokens
    are_own = bool(ends) and ends == set([own] if isinstance(own, int) else own or ())
    for known in {guard.vocabulary for processor in request.processors for guard in _guards_in(processor)}:
        check_fits(known, vocabulary(model), [real.flatten().tolist()])
        if are_own and not any(token in known.special for token in ends):
            texts = ", ".join(repr(known.decode([token]).decode(errors="replace")) for token in sorted(ends))
            raise GuardError(
                "a guard must be made with the model's own tokenizer, whose ends of sequence are special tokens, got"
                f" the model's {sorted(ends)}, which to the guard are {texts}"
            )


def _guards_in(processor: object) -> Iterator[Guard]:
    if isinstance(processor, GuardProcessor):
        processor = processor.guards
    if isinstance(processor, Guard):
        yield processor
    elif isinstance(processor, RowGuards):
        yield from (guard for guard in processor.guards if guard is not None)


def has_guards(processors: Any) -> bool:
    """Whether plain decoding could not call all of `processors`."""
    return any(isinstance(processor, Guard | RowGuards) for processor in processors or ())


def _matchers(
    processor: object, input_ids: Tensor, eos_tokens: set[int], num_returned: int
) -> list[Matcher | None] | None:
    if isinstance(processor, GuardProcessor):
        return processor.open(input_ids.tolist(), num_returned)
    if isinstance(processor, Guard):
        processor = Guard.per_row([processor])
    if not isinstance(processor, RowGuards):
        if not callable(processor):
            raise TypeError(
                f"logits_processor must hold processors and guards, got {processor!r} in it: Guard.per_row([…]) has a"
                " guard for each prompt"
            )
        if isinstance(getattr(processor, "__self__", None), Guard | RowGuards):
            raise TypeError(f"logits_processor must hold processors and guards, got a method, {processor!r}: call it")
        return None
    _check_ends(processor, eos_tokens)
    return processor.matchers(input_ids.tolist(), eos_tokens, num_returned)


def _check_ends(guard: object, eos_tokens: Collection[int] | None) -> None:
    if not eos_tokens:
        raise GuardError(
            f"a guard ends a row with an end of sequence, got eos_token_id=None with {guard!r}: pass eos_token_id"
        )


def _fill(matcher: Matcher, draft: TokenArray) -> Filled:
    bits = np.zeros((draft.size + 1, num_words(len(matcher.vocabulary))), np.int32)
    try:
        return Filled(bits, matcher.fill(draft.tolist(), bits))
    except GuardError as error:
        return Filled(bits, 0, error)


def _stacked(rows: list[BitmaskArray]) -> BitmaskArray:
    """Bitmasks of several vocabularies as one `int32[n, W]`."""
    bits = np.zeros((len(rows), max(row.size for row in rows)), np.int32)
    for line, row in enumerate(rows):
        bits[line, : row.size] = row
    return bits
