"""`Speculator`: the object that `generate(custom_generate=…)` takes."""

import functools
import threading
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation.configuration_utils import GenerationConfig
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteriaList, StopStringCriteria
from transformers.generation.streamers import BaseStreamer

from ngramspec.decoding import Budget, FixedBudget, step
from ngramspec.drafting import Drafter, PromptLookup
from ngramspec.errors import NgramspecWarning, PromptError, RefusedError
from ngramspec.hf.choosing import Call, InStep, chooser_for
from ngramspec.hf.refusals import check_prompt, check_shapes, max_position, refuse_inputs, refuse_modes, vocabulary
from ngramspec.hf.sampling import Picker
from ngramspec.hf.stopping import Stops
from ngramspec.hf.streaming import Stream
from ngramspec.hf.support import why_undrafted, windows_of
from ngramspec.hf.target import ModelTarget, Row
from ngramspec.hf.text import Text
from ngramspec.hf.types import Model
from ngramspec.stats import Counters, Stats

NO_LIMIT = 2**62


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
        **model_kwargs: Any,
    ) -> Tensor:
        """The decoding loop, as `generate()` calls it; returns `int64[B, P + emitted]`."""
        return self._decode(
            model, input_ids, logits_processor, stopping_criteria, generation_config, segment, None, **model_kwargs
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
    ) -> Tensor:
        """`model.generate(...)` with speculation, and with all its arguments.

        streamer: gets the `put` calls of plain decoding, and one `end`, also when decoding raises.
        tokenizer: needed for `stop_strings`, as in plain `generate()`.
        """
        stream = None if streamer is None else Stream(streamer)
        try:
            _refuse_arguments(synced_gpus, kwargs)
            prompt = inputs if inputs is not None else kwargs.get("input_ids")
            if isinstance(prompt, Tensor) and prompt.dim() == 2:  # transformers' own errors say less
                check_shapes(prompt, kwargs.get("attention_mask"))
            criteria = _stop_criteria(model, generation_config, stopping_criteria, tokenizer, kwargs)
            output: Tensor = model.generate(
                inputs,
                generation_config=generation_config,
                stopping_criteria=criteria,
                custom_generate=functools.partial(self._decode, stream=stream),
                **kwargs,
            )
            return output
        finally:
            if stream is not None:
                stream.end()

    def _decode(
        self,
        model: Model,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        segment: str | None = None,
        stream: Stream | None = None,
        **model_kwargs: Any,
    ) -> Tensor:
        refuse_modes(generation_config)
        if stream is not None:
            stream.put(input_ids.cpu())
        reason = why_undrafted(model) or (
            None if model_kwargs.get("use_cache", True) else "was called with use_cache=False"
        )
        if reason is not None:
            self._warn_once(f"{type(model).__name__} {reason}: its text is decoded without drafts")
            return self._decode_plainly(
                model, input_ids, logits_processor, stopping_criteria, generation_config, segment, stream, model_kwargs
            )
        refuse_inputs(model, model_kwargs)
        mask = model_kwargs.get("attention_mask")
        check_prompt(model, input_ids, mask, model_kwargs.get("position_ids"))
        stops = Stops(stopping_criteria, generation_config.max_length)
        text = Text(input_ids, stops.max_length, _pad_token(generation_config, stops, input_ids), stream)
        picker = Picker(do_sample=bool(generation_config.do_sample), num_rows=len(input_ids), device=input_ids.device)
        chooser = chooser_for(Call(text, logits_processor, picker, stops))
        target = ModelTarget(model, windows_of(model), mask, chooser)
        rows = self._open_rows(model, input_ids, model_kwargs, stops, text.pad_token, segment)
        in_step = isinstance(chooser, InStep)
        while not all(row.finished for row in rows):
            step(target, rows if in_step else [row for row in rows if not row.finished], self.budget)
        for row in rows:
            row.counters.requests = 1
            self.stats.add(row.counters, segment)
        return text.output()

    def _open_rows(
        self,
        model: Model,
        input_ids: Tensor,
        model_kwargs: dict[str, Any],
        stops: Stops,
        pad_token: int,
        segment: str | None,
    ) -> list[Row]:
        batch, length = input_ids.shape
        mask, positions = model_kwargs.get("attention_mask"), model_kwargs.get("position_ids")
        prompts = input_ids.cpu().numpy().astype(np.int32)
        real = np.ones(prompts.shape, bool) if mask is None else mask.cpu().numpy().astype(bool)
        if positions is None:
            positions = torch.arange(length)[None]
        places = positions.expand(batch, length).cpu().numpy()
        rows = []
        for index in range(batch):
            session = self.drafter.open(segment)
            session.extend(prompts[index][real[index]])
            rows.append(
                Row(
                    session,
                    prompts[index],
                    stops.max_length - length,
                    index=index,
                    pad_token=pad_token,
                    positions=places[index],
                    max_position=max_position(model) or NO_LIMIT,
                    vocabulary=vocabulary(model),
                )
            )
        return rows

    def _decode_plainly(
        self,
        model: Model,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        segment: str | None,
        stream: Stream | None,
        model_kwargs: dict[str, Any],
    ) -> Tensor:
        """transformers' own loop, for models whose state cannot take a step back."""
        output: Tensor = model._sample(
            input_ids,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
            generation_config=generation_config,
            streamer=stream,
            **model_kwargs,
        )
        ends = Stops(stopping_criteria, generation_config.max_length).eos_tokens
        for tokens in output[:, input_ids.shape[1] :].tolist():
            length = next((index + 1 for index, token in enumerate(tokens) if token in ends), len(tokens))
            self.stats.add(Counters(requests=1, tokens=length, target_passes=length), segment)
        return output

    def _warn_once(self, message: str) -> None:
        with self._lock:
            is_new = message not in self._warned
            self._warned.add(message)
        if is_new:
            warnings.warn(message, NgramspecWarning, stacklevel=2)


def _pad_token(config: GenerationConfig, stops: Stops, input_ids: Tensor) -> int:
    pad = config._pad_token_tensor
    if pad is not None:
        return int(pad)
    if len(input_ids) > 1 and stops.pads_finished_rows:
        raise PromptError(
            f"a batch needs a pad token to fill up finished rows, got pad_token_id=None for {len(input_ids)} rows:"
            " pass pad_token_id"
        )
    return 0  # alone, or where all rows end together, nothing is ever padded


def _refuse_arguments(synced_gpus: bool | None, kwargs: dict[str, Any]) -> None:
    if synced_gpus:
        raise RefusedError("synced_gpus=True is not supported with speculation yet: leave it out")
    for name in ("assistant_model", "custom_generate"):
        if kwargs.get(name) is not None:
            raise RefusedError(f"speculation needs no {name}, got {type(kwargs[name]).__name__}: leave it out")
    cache = kwargs.get("cache_implementation")
    if cache not in (None, "dynamic"):  # generate() would first build it or, for "paged", leave for another loop
        raise RefusedError(f"speculation brings its own cache, got cache_implementation={cache!r}: leave it out")


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
    return StoppingCriteriaList([*(criteria or []), StopStringCriteria(tokenizer, given)])
