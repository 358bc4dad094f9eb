"""One call of `generate()`, from its arguments to its result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ngramspec.decoding import Budget, Clock
from ngramspec.drafting import Drafter, NoDrafts, checked_references
from ngramspec.hf.choice.stopping import with_stop_strings
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.entry.cost_tables import CostTables
from ngramspec.hf.entry.decode import Output, Tell, decode
from ngramspec.hf.entry.plain import decode_plainly
from ngramspec.hf.entry.refusals import refuse_early
from ngramspec.hf.entry.route import Route, route_of
from ngramspec.hf.entry.segments import keys_of, segments_of
from ngramspec.hf.entry.templates import templates_of
from ngramspec.hf.rows.opening import RowDrafter
from ngramspec.hf.rows.request import Request
from ngramspec.hf.target.static import passes_of
from ngramspec.hf.trials.trust import TRUST
from ngramspec.hf.types import Model
from ngramspec.stats import Counters, Stats


class SpeculatorParts(Protocol):
    """The part of a Speculator that decoding needs."""

    drafter: Drafter
    budget: Budget
    clock: Clock
    costs: CostTables
    stats: Stats
    undrafted_segments: frozenset[str]

    def warn_once(self, model: Model, reason: str) -> None:
        """Warn that a model is not drafted for, once per reason."""


@dataclass(slots=True)
class Attempt:
    """What a caller of `generate()` passes to its Speculator around transformers, and how far the call came.

    stream: where tokens go as they are made; its owner ends it. take: gets the request, which is then not decoded.
    has_begun: whether decoding has begun. Until then no object of the caller's has been changed, so a refused call can
        still be decoded in another way.
    """

    stream: Stream | None = None
    take: Callable[[Request], None] | None = None
    has_begun: bool = False


def generate_with(
    spec: Callable[..., Any], model: Model, plain: Callable[..., Any], arguments: dict[str, Any], attempt: Attempt
) -> Any:
    """The call `plain(**arguments)` of `model`'s `generate()`, decoded by `spec`.

    Raises for refused calls, if possible before `generate()` is entered, which would run an encoder.
    """
    refuse_early(model, arguments)
    arguments = {**arguments, "custom_generate": partial(spec, attempt=attempt)}
    arguments.pop("synced_gpus", None)
    _replace_stop_strings(model, arguments)
    return plain(**arguments)


def serve(
    parts: SpeculatorParts,
    request: Request,
    *,
    segment: str | Sequence[str | None] | None,
    references: Sequence[Any] | None,
    speculate: bool,
    cache_salt: str | Sequence[str | None] | None,
    attempt: Attempt,
) -> Output:
    """Decode a request, with the arguments of `Speculator.__call__`."""
    num_returned = request.config.num_return_sequences or 1
    segments = segments_of(segment, len(request.input_ids), num_returned)
    keys = keys_of(segments, cache_salt, num_returned)
    drafters = drafters_of(parts, segments, keys, references, speculate=speculate)
    route = route_of(request)
    attempt.has_begun = True

    def tell(counts: Sequence[Counters]) -> None:
        for counters, name, template in zip(counts, segments, templates_of(request), strict=True):
            parts.stats.add(counters, name, template)

    return _decoded(parts, route, drafters, tell)


def drafters_of(
    parts: SpeculatorParts,
    segments: Sequence[str | None],
    keys: Sequence[str | None],
    references: Sequence[Any] | None,
    *,
    speculate: bool,
) -> list[RowDrafter]:
    """The drafter of each row. keys: the drafter's names of the segments."""
    copied_from = checked_references(() if references is None else references)
    undrafted = parts.undrafted_segments
    drafters = [parts.drafter if speculate and name not in undrafted else NoDrafts() for name in segments]
    return [RowDrafter(drafter, key, copied_from) for drafter, key in zip(drafters, keys, strict=True)]


def _replace_stop_strings(model: Model, arguments: dict[str, Any]) -> None:
    """Replace stop strings by a criterion, because `generate()` does not pass the tokenizer on to us."""
    tokenizer = arguments.pop("tokenizer", None)
    configs = (arguments.get("generation_config"), model.generation_config)
    given = [getattr(config, "stop_strings", None) for config in configs]
    strings = arguments.get("stop_strings", given[0] if given[0] is not None else given[1])
    if strings is not None:
        criteria = with_stop_strings(arguments.get("stopping_criteria"), strings, tokenizer)
        arguments |= {"stop_strings": None, "stopping_criteria": criteria}


def _decoded(parts: SpeculatorParts, route: Route, drafters: Sequence[RowDrafter], tell: Tell) -> Output:
    request, trial = route.request, route.trial
    model = request.model
    if request.stream is not None:
        request.stream.put(request.input_ids.cpu())
    if route.why_plainly is None and trial is None:
        costs = parts.costs.of(model, passes_of(request))
        return decode(request, drafters, parts.budget, costs, parts.clock, tell)
    if route.why_plainly is not None:
        parts.warn_once(model, route.why_plainly)
    output = decode_plainly(request, tell, trial)
    note = None if trial is None else TRUST.note(trial)
    if note is not None:
        parts.warn_once(model, note)
    return output
