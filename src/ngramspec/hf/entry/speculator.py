"""`Speculator`: the object that `generate(custom_generate=…)` takes."""

import time
from collections.abc import Collection, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from ngramspec.decoding import AdaptiveBudget, Budget, Clock
from ngramspec.drafting import AdaptiveLookup, Drafter
from ngramspec.files.whole_file import MAX_BYTES
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.entry.argument_checks import check_model, check_parts
from ngramspec.hf.entry.cost_tables import CostTables
from ngramspec.hf.entry.generate import Attempt, generate_with, serve
from ngramspec.hf.entry.prompts import check_shapes
from ngramspec.hf.entry.warning_once import WarningOnce
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    BaseStreamer,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
    given_cache,
)
from ngramspec.hf.types import Model
from ngramspec.stats import Stats
from ngramspec.watching import Drifts


class Speculator:
    """Decodes the text of plain `generate()` in fewer forward passes.

    >>> spec = Speculator()                                                       # doctest: +SKIP
    >>> model.generate(**inputs, custom_generate=spec, max_new_tokens=256)        # doctest: +SKIP

    One object serves any number of calls, models and threads. `stats` counts tokens, passes and time by segment, and
    why passes had no drafts. `drifts` counts changes in the traffic of a segment; the log says what changed. The costs
    of a model's passes are shared by all Speculators of a process. A copy or a pickle has the settings only: its
    statistics start empty, and histories are not copied (`AdaptiveLookup.save` saves them).

    `generate()` does not pass `streamer`, `tokenizer` and `synced_gpus` on to a callable. Calls that need them go
    through `spec.generate(model, ...)`, which takes the arguments of `model.generate(...)`.

    Raises, before the first forward pass: RefusedError if the call cannot be exact, PromptError for an unusable prompt.
    Warns once (NgramspecWarning) if a model cannot be drafted for; its text is then decoded plainly.

    Drafting follows prompt lookup decoding (Saxena 2023), verification follows Leviathan et al. (2023).
    """

    def __init__(
        self,
        drafter: Drafter | None = None,
        budget: Budget | None = None,
        *,
        undrafted_segments: Collection[str] = (),
        clock: Clock = time.perf_counter,
    ) -> None:
        """drafter: makes drafts; by default from the prompt, the output so far and the segment's earlier outputs.

        budget: decides their lengths; by default as long as they pay, on this model and machine.
        undrafted_segments: rows of these get no drafts, and are not kept in histories.
        clock: monotonic, in seconds; times the passes. A clock of your own makes runs repeatable.
        """
        check_parts(drafter, budget, undrafted_segments)
        self.drafter = drafter if drafter is not None else AdaptiveLookup()
        self.budget = budget if budget is not None else AdaptiveBudget()
        self.drifts = Drifts()
        self.stats = Stats(self.drifts.add)
        self.undrafted_segments = frozenset(undrafted_segments)
        self.clock = clock
        self.costs = CostTables(clock)
        self._warnings = WarningOnce()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles have the settings, but no statistics, and no text of any segment."""
        settings = {"drafter": self.drafter, "budget": self.budget, "clock": self.clock}
        return settings | {"undrafted_segments": self.undrafted_segments}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start like a new Speculator with these settings."""
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
        attempt: Attempt | None = None,
        **model_kwargs: Any,
    ) -> Any:
        """The decoding loop, as `generate()` calls it; returns `int64[B, P + emitted]`, or the object it asks for.

        segment: names the traffic, one for all rows or a list with one per prompt. A row's answer is drafted from by
        later rows of its segment only; without a segment nothing is kept.
        references: texts that the answer may copy from although the model does not read them, each a list of token ids.
        speculate: False turns speculation off for this call, whose answers are not kept either.
        cache_salt: the tenant, one for all rows or a list with one per prompt. Rows of one salt neither draft from the
        answers of another, nor get faster through them.
        inputs_tensor: the encoder's input; transformers passes it because it is named here.
        attempt: for `Speculator.generate`, `enable` and `ModelEngine`, which call `generate()` themselves.
        """
        attempt = Attempt() if attempt is None else attempt
        request = Request(
            model,
            input_ids,
            logits_processor,
            stopping_criteria,
            generation_config,
            model_kwargs,
            attempt.stream,
            inputs_tensor,
        )
        if attempt.take is not None:
            attempt.take(request)
            return input_ids
        return serve(
            self,
            request,
            segment=segment,
            references=references,
            speculate=speculate,
            cache_salt=cache_salt,
            attempt=attempt,
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
                check_shapes(prompt, arguments.get("attention_mask"))  # before transformers' own errors, which say less
            generate = model.generate if inputs is None else partial(model.generate, inputs)
            return generate_with(self, model, generate, arguments, Attempt(stream))
        finally:
            if stream is not None:
                stream.end()

    def save_costs(self, path: str | PathLike[str]) -> None:
        """Save the measured costs of passes to a file, for `load_costs`; raises OSError as `AdaptiveLookup.save` does.

        These are the measurements of all Speculators of this process, which share them.
        If the process is killed meanwhile, the earlier file is intact.
        """
        self.costs.save(Path(path))

    def load_costs(self, path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> None:
        """Start with what `save_costs` or `ngramspec calibrate` wrote, for models that this process has not measured.

        A table is used for a model of the same class, configuration and dtype, on the same type of device with as many
        threads and the same torch; other tables are ignored, and saved again.

        max_bytes: a larger file is refused before it is read; `calibrate`'s files have a limit of their own.

        Raises CostsError for a file that is damaged, forged or not one of these; OSError if it cannot be read.
        """
        self.costs.load(Path(path), max_bytes)

    def warn_once(self, model: Model, reason: str) -> None:
        """Warn that a model is not drafted for, once per reason."""
        message = f"{type(model).__name__} {reason}: its text is decoded without drafts"
        self._warnings.warn(message, message, stacklevel=2)
