"""`Speculator`: the object that `generate(custom_generate=…)` takes."""

import threading
import warnings
from typing import Any

from torch import Tensor
from transformers.generation.configuration_utils import GenerationConfig
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteriaList, StopStringCriteria
from transformers.generation.streamers import BaseStreamer

from ngramspec.decoding import Budget, FixedBudget
from ngramspec.drafting import Drafter, PromptLookup
from ngramspec.errors import NgramspecWarning
from ngramspec.hf.loop import decode, decode_plainly
from ngramspec.hf.refusals import check_prompt, check_shapes, refuse_arguments, refuse_inputs, refuse_modes
from ngramspec.hf.request import Request
from ngramspec.hf.streaming import Stream
from ngramspec.hf.support import why_undrafted, why_undrafted_at
from ngramspec.hf.types import Model
from ngramspec.stats import Stats


class Speculator:
    """Decodes the text of plain `generate()` in fewer forward passes.

    >>> spec = Speculator()                                                       # doctest: +SKIP
    >>> model.generate(**inputs, custom_generate=spec, max_new_tokens=256)        # doctest: +SKIP

    One object serves any number of calls, models and threads. `stats` counts what it did, by segment.

    `generate()` keeps `streamer`, `tokenizer` and `synced_gpus` from a callable. Calls that need them go through
    `spec.generate(model, ...)`, which takes the arguments of `model.generate(...)`.

    Raises, before the first forward pass: RefusedError for what cannot be exact, PromptError for an unusable prompt.
    Warns once (NgramspecWarning) of a model that cannot be drafted for; its text is then decoded plainly.

    The rule is prompt lookup decoding (Saxena 2023), its verification that of Leviathan et al. (2023).
    """

    def __init__(self, drafter: Drafter | None = None, budget: Budget | None = None) -> None:
        """drafter: where drafts come from; by default the prompt and the output so far. budget: how long they are."""
        for name, value, method in (("drafter", drafter, "open"), ("budget", budget, "allot")):
            if value is not None and (isinstance(value, type) or not hasattr(value, method)):
                raise TypeError(f"{name} must be an object with {method}(), got {value!r}")
        self.drafter = drafter if drafter is not None else PromptLookup()
        self.budget = budget if budget is not None else FixedBudget()
        self.stats = Stats()
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def __call__(
        self,
        model: Model,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        segment: str | None = None,
        inputs_tensor: Tensor | None = None,
        **model_kwargs: Any,
    ) -> Any:
        """The decoding loop, as `generate()` calls it; returns `int64[B, P + emitted]`, or the object it asks for.

        inputs_tensor: what an encoder has read; transformers passes it to whoever names it.
        """
        processors, criteria = logits_processor, stopping_criteria
        return self._serve(
            Request(model, input_ids, processors, criteria, generation_config, model_kwargs, None, inputs_tensor),
            segment,
        )

    def generate(
        self,
        model: Model,
        inputs: Tensor | None = None,
        *,
        generation_config: GenerationConfig | None = None,
        stopping_criteria: StoppingCriteriaList | None = None,
        streamer: BaseStreamer | None = None,
        tokenizer: Any = None,
        synced_gpus: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """`model.generate(...)` with speculation, and with all its arguments.

        streamer: gets the `put` calls of plain decoding, and one `end`, also when decoding raises.
        tokenizer: needed for `stop_strings`, as in plain `generate()`.
        """
        stream = None if streamer is None else Stream(streamer)

        def serve(
            model: Model,
            input_ids: Tensor,
            logits_processor: LogitsProcessorList,
            stopping_criteria: StoppingCriteriaList,
            generation_config: GenerationConfig,
            segment: str | None = None,
            inputs_tensor: Tensor | None = None,
            **model_kwargs: Any,
        ) -> Any:
            processors, criteria = logits_processor, stopping_criteria
            return self._serve(
                Request(model, input_ids, processors, criteria, generation_config, model_kwargs, stream, inputs_tensor),
                segment,
            )

        try:
            refuse_arguments(synced_gpus, kwargs)
            prompt = inputs if inputs is not None else kwargs.get("input_ids")
            if isinstance(prompt, Tensor) and prompt.dim() == 2 and kwargs.get("past_key_values") is None:
                # transformers' own errors say less
                check_shapes(prompt, kwargs.get("attention_mask"))
            criteria = _stop_criteria(model, generation_config, stopping_criteria, tokenizer, kwargs)
            return model.generate(
                inputs,
                generation_config=generation_config,
                stopping_criteria=criteria,
                custom_generate=serve,
                **kwargs,
            )
        finally:
            if stream is not None:
                stream.end()

    def _serve(self, request: Request, segment: str | None) -> Any:
        if not (segment is None or isinstance(segment, str)):
            raise TypeError(f"segment must be a name for the whole call, got {segment!r}")
        refuse_modes(request.config)
        if request.stream is not None:
            request.stream.put(request.input_ids.cpu())
        reason = why_undrafted(request.model)
        if reason is None and not request.model_kwargs.get("use_cache", True):
            reason = "was called with use_cache=False"
        if reason is None:
            refuse_inputs(request)
            check_prompt(request)
            reason = why_undrafted_at(request.model, *request.num_positions)
        if reason is None:
            output, counts = decode(request, self.drafter, self.budget, segment)
        else:
            self._warn_once(f"{type(request.model).__name__} {reason}: its text is decoded without drafts")
            output, counts = decode_plainly(request)
        for counters in counts:
            self.stats.add(counters, segment)
        return output

    def _warn_once(self, message: str) -> None:
        with self._lock:
            is_new = message not in self._warned
            self._warned.add(message)
        if is_new:
            warnings.warn(message, NgramspecWarning, stacklevel=2)


def _stop_criteria(
    model: Model,
    config: GenerationConfig | None,
    criteria: StoppingCriteriaList | None,
    tokenizer: Any,
    kwargs: dict[str, Any],
) -> StoppingCriteriaList | None:
    """Turn `stop_strings` into a criterion, for `generate()` loses the tokenizer that it would make one with."""
    given = kwargs.get("stop_strings")
    for source in (config, model.generation_config):
        given = given if given is not None else getattr(source, "stop_strings", None)
    if given is None:
        return criteria
    if tokenizer is None:
        raise ValueError(f"stop_strings need the model's tokenizer, got tokenizer=None for {given!r}: pass tokenizer")
    kwargs["stop_strings"] = None  # an argument overrides both configs
    if any(type(criterion) is StopStringCriteria for criterion in criteria or []):
        return criteria  # the caller's own replaces the one made from `stop_strings`
    return StoppingCriteriaList([*(criteria or []), StopStringCriteria(tokenizer, given)])
