"""`Speculator`: the object that `generate(custom_generate=…)` takes."""

import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ngramspec import forking
from ngramspec.decoding import AdaptiveBudget, Budget, Clock
from ngramspec.drafting import AdaptiveLookup, Drafter, NoDrafts, TokenArray, checked_references
from ngramspec.drafting.whole_file import MAX_BYTES
from ngramspec.errors import NgramspecWarning
from ngramspec.hf.cost_tables import CostTables
from ngramspec.hf.decode import decode, decode_plainly
from ngramspec.hf.early import refuse_early
from ngramspec.hf.guarded import check_vocabularies
from ngramspec.hf.mistypes import check_model, check_parts
from ngramspec.hf.opening import RowSource
from ngramspec.hf.output import Output
from ngramspec.hf.refusals import check_prompt, check_shapes, refuse_inputs, refuse_modes
from ngramspec.hf.request import Request
from ngramspec.hf.seam import (
    BaseStreamer,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
    given_cache,
)
from ngramspec.hf.segments import keys_of, segments_of
from ngramspec.hf.stopping import with_stop_strings
from ngramspec.hf.strangers import strangers_in
from ngramspec.hf.streaming import Stream
from ngramspec.hf.support import why_undrafted, why_undrafted_at
from ngramspec.hf.trial import Trial
from ngramspec.hf.trust import TRUST
from ngramspec.hf.types import Model
from ngramspec.stats import Counters, Stats

MOST_WARNINGS = 256
"""Reasons that are told; they are few, unless something that changes with each call is in them."""


class Speculator:
    """Decodes the text of plain `generate()` in fewer forward passes.

    >>> spec = Speculator()                                                       # doctest: +SKIP
    >>> model.generate(**inputs, custom_generate=spec, max_new_tokens=256)        # doctest: +SKIP

    One object serves any number of calls, models and threads. `stats` counts what it did, by segment, and why nothing
    was drafted where nothing was. What passes of a model cost is shared by all Speculators of a process. A copy or a
    pickle of one has its settings; it counts anew, and what segments wrote stays where it is (`AdaptiveLookup.save`).

    `generate()` keeps `streamer`, `tokenizer` and `synced_gpus` from a callable. Calls that need them go through
    `spec.generate(model, ...)`, which takes the arguments of `model.generate(...)`.

    Raises, before the first forward pass: RefusedError for what cannot be exact, PromptError for an unusable prompt.
    Warns once (NgramspecWarning) of a model that cannot be drafted for; its text is then decoded plainly.

    The rule is prompt lookup decoding (Saxena 2023), its verification that of Leviathan et al. (2023).
    """

    def __init__(
        self,
        drafter: Drafter | None = None,
        budget: Budget | None = None,
        *,
        undrafted_segments: Collection[str] = (),
        clock: Clock = time.perf_counter,
    ) -> None:
        """drafter: where drafts come from; by default the prompt, the output so far and the segment's earlier outputs.

        budget: how long they are; by default as long as they pay, on this model and machine.
        undrafted_segments: for rows of these nothing is drafted, and nothing is kept of them.
        clock: seconds that only go on, by which passes are timed; one of your own makes runs that can be repeated.
        """
        check_parts(drafter, budget, undrafted_segments)
        self.drafter = drafter if drafter is not None else AdaptiveLookup()
        self.budget = budget if budget is not None else AdaptiveBudget()
        self.stats = Stats()
        self._undrafted = frozenset(undrafted_segments)
        self._clock = clock
        self._costs = CostTables(clock)
        self._warned: set[str] = set()
        self._lock = forking.lock()

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along: the settings. Statistics start anew, and no segment's text goes along."""
        settings = {"drafter": self.drafter, "budget": self.budget, "clock": self._clock}
        return settings | {"undrafted_segments": self._undrafted}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin as a new one with these settings."""
        self.__init__(**state)  # type: ignore[misc]

    def __call__(
        self,
        model: Model,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        segment: str | Sequence[str | None] | None = None,
        references: Sequence[Any] | None = None,
        speculate: bool = True,
        cache_salt: str | Sequence[str | None] | None = None,
        inputs_tensor: Tensor | None = None,
        **model_kwargs: Any,
    ) -> Any:
        """The decoding loop, as `generate()` calls it; returns `int64[B, P + emitted]`, or the object it asks for.

        segment: the kind of traffic, one for all rows or a list of one per prompt. What a row answers is drafted from
        in later rows of its segment, and in no others; without one nothing is kept.
        references: texts that the answer may copy from though the model does not read them, each a list of token ids.
        speculate: False switches speculation off for this call; nothing is kept of it either.
        cache_salt: whose rows these are, one for all or a list of one per prompt. Rows of one salt are neither drafted
        for from what those of another one answered, nor made faster by it.
        inputs_tensor: what an encoder has read; transformers passes it to whoever names it.
        """
        processors, criteria, config = logits_processor, stopping_criteria, generation_config
        return Loop(self)(
            model,
            input_ids,
            processors,
            criteria,
            config,
            segment,
            references,
            speculate,
            cache_salt,
            inputs_tensor,
            **model_kwargs,
        )

    def generate(
        self,
        model: Model,
        inputs: Tensor | None = None,
        *,
        streamer: BaseStreamer | None = None,
        **arguments: Any,
    ) -> Any:
        """`model.generate(...)` with speculation, and with all its arguments, by name.

        streamer: gets the `put` calls of plain decoding, and one `end`, also when decoding raises.
        tokenizer: needed for `stop_strings`, as in plain `generate()`.
        """
        stream = None if streamer is None else Stream(streamer)
        try:
            check_model(model)
            prompt = inputs if inputs is not None else arguments.get("input_ids")
            may_be_text = model.main_input_name == "input_ids" and given_cache(arguments) is None
            if may_be_text and isinstance(prompt, Tensor) and prompt.dim() == 2:
                check_shapes(prompt, arguments.get("attention_mask"))  # transformers' own errors say less
            generate = model.generate if inputs is None else partial(model.generate, inputs)
            return Loop(self, stream).run(model, generate, arguments)
        finally:
            if stream is not None:
                stream.end()

    def save_costs(self, path: str | PathLike[str]) -> None:
        """Put what passes were found to cost into a file, for `load_costs`; raises OSError as `AdaptiveLookup.save`.

        That is what all Speculators of this process have measured, for they share it.
        A process that is killed meanwhile leaves the earlier file as it was.
        """
        self._costs.save(Path(path))

    def load_costs(self, path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> None:
        """Begin with what `save_costs` wrote, for each model of which this process has measured nothing yet.

        A table is used for a model of the same class, configuration and numbers, on the same kind of device with as
        many threads and the same torch; all others are passed over, and saved again.

        max_bytes: a larger file is refused before it is read.

        Raises CostsError for what is no such file, a damaged or a forged one; OSError where it cannot be read.
        """
        self._costs.load(Path(path), max_bytes)

    def _why_undrafted(self, request: Request) -> str | None:
        """Why this call is decoded without drafts, None where they are fine; raises for what is refused."""
        refuse_modes(request.config)
        reason = why_undrafted(request.model)
        if reason is None and not request.model_kwargs.get("use_cache", True):
            reason = "was called with use_cache=False"
        if reason is None and torch.is_grad_enabled():
            reason = "is asked for gradients, and a cache that is written in place has none"
        if reason is not None:
            return reason
        refuse_inputs(request)
        check_prompt(request)
        return why_undrafted_at(request.model, *request.num_positions)

    def _way(self, request: Request) -> tuple[Request, str | None, Trial | None]:
        """How a call is decoded: the request, why it is decoded plainly if it is, and the trial that watches it."""
        why_plainly = self._why_undrafted(request)
        check_vocabularies(request)
        strangers = strangers_in(request.model) if why_plainly is None else []
        if not strangers:
            return request, why_plainly, None
        found = TRUST.finding(request, strangers)
        if found is None:
            return request, None, TRUST.trial_of(request, strangers)
        reason, width = found
        return replace(request, tried_width=width), reason or None, None

    def _sources(
        self,
        segments: Sequence[str | None],
        keys: Sequence[str | None],
        references: Sequence[TokenArray],
        *,
        speculate: bool,
    ) -> list[RowSource]:
        """Where the drafts of each row come from."""
        drafters = [self.drafter if speculate and name not in self._undrafted else NoDrafts() for name in segments]
        return [RowSource(drafter, key, references) for drafter, key in zip(drafters, keys, strict=True)]

    def _decode(
        self, request: Request, sources: Sequence[RowSource], why_plainly: str | None, trial: Trial | None
    ) -> tuple[Output, list[Counters]]:
        if request.stream is not None:
            request.stream.put(request.input_ids.cpu())
        if why_plainly is None and trial is None:
            return decode(request, sources, self.budget, self._costs.of(request.model), self._clock)
        self._warn_once(request.model, why_plainly)
        output, counts = decode_plainly(request, trial)
        self._warn_once(request.model, None if trial is None else TRUST.note(trial))
        return output, counts

    def _warn_once(self, model: Model, reason: str | None) -> None:
        """Warn of a model that is not drafted for, once per reason; None is no reason."""
        if reason is None:
            return
        message = f"{type(model).__name__} {reason}: its text is decoded without drafts"
        with self._lock:
            is_new = message not in self._warned and len(self._warned) < MOST_WARNINGS
            if is_new:
                self._warned.add(message)
        if is_new:
            warnings.warn(message, NgramspecWarning, stacklevel=2)


class Loop:
    """A Speculator's work for one call of `generate()`, with the streamer that `generate()` keeps from a callable.

    has_begun: whether decoding has begun. Until then nothing of the caller's has been touched, so that whoever is
    refused may still go another way.
    """

    def __init__(self, spec: Speculator, stream: Stream | None = None) -> None:
        """stream: whoever makes it ends it."""
        self.has_begun = False
        self._spec = spec
        self._stream = stream

    def run(self, model: Model, generate: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """`generate(**arguments)`, a `generate()` of `model`, with this loop in place of its own.

        Raises what is refused; before `generate()` is entered, which would run an encoder, as far as can be seen then.
        """
        refuse_early(model, arguments)
        arguments = {**arguments, "custom_generate": self}
        arguments.pop("synced_gpus", None)
        _replace_stop_strings(model, arguments)
        return generate(**arguments)

    def __call__(
        self,
        model: Model,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        segment: str | Sequence[str | None] | None = None,
        references: Sequence[Any] | None = None,
        speculate: bool = True,
        cache_salt: str | Sequence[str | None] | None = None,
        inputs_tensor: Tensor | None = None,
        **model_kwargs: Any,
    ) -> Any:
        """The decoding loop, as `generate()` calls it; see `Speculator.__call__`."""
        num_returned = generation_config.num_return_sequences or 1
        segments = segments_of(segment, len(input_ids), num_returned)
        keys = keys_of(segments, cache_salt, num_returned)
        copied_from = checked_references(() if references is None else references)
        processors, criteria = logits_processor, stopping_criteria
        stream = self._stream
        request = Request(
            model, input_ids, processors, criteria, generation_config, model_kwargs, stream, inputs_tensor
        )
        request, why_plainly, trial = self._spec._way(request)
        self.has_begun = True
        sources = self._spec._sources(segments, keys, copied_from, speculate=speculate)
        output, counts = self._spec._decode(request, sources, why_plainly, trial)
        for counters, name in zip(counts, segments, strict=True):
            self._spec.stats.add(counters, name)
        return output


def _replace_stop_strings(model: Model, arguments: dict[str, Any]) -> None:
    """Put a criterion in place of stop strings: `generate()` keeps the tokenizer that it would make one with."""
    tokenizer = arguments.pop("tokenizer", None)
    configs = (arguments.get("generation_config"), model.generation_config)
    given = [getattr(config, "stop_strings", None) for config in configs]
    strings = arguments.get("stop_strings", given[0] if given[0] is not None else given[1])
    if strings is not None:
        criteria = with_stop_strings(arguments.get("stopping_criteria"), strings, tokenizer)
        arguments |= {"stop_strings": None, "stopping_criteria": criteria}
