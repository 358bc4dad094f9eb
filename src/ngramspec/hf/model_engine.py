"""Many requests at once, which come and go: each with the text of `generate()` for its prompt alone."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import Engine
from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf.aligned import AlignedTarget
from ngramspec.hf.call import Call
from ngramspec.hf.calling import replace_stop_strings, sources_of
from ngramspec.hf.early import refuse_early
from ngramspec.hf.masks import MaskThreads
from ngramspec.hf.opening import open_call
from ngramspec.hf.pool import LinePool
from ngramspec.hf.request import Request
from ngramspec.hf.row import ModelRow
from ngramspec.hf.sampling import row_seeds
from ngramspec.hf.seam import BaseStreamer
from ngramspec.hf.segments import keys_of, segments_of
from ngramspec.hf.speculator import Speculator
from ngramspec.hf.streaming import Stream
from ngramspec.hf.support import why_aligned
from ngramspec.hf.tensor_parallel import agreed
from ngramspec.hf.types import Model
from ngramspec.hf.way import way_of


@dataclass(eq=False)
class Answer:
    """What a request comes to.

    row: its text so far, and its counters.
    """

    row: ModelRow
    _request: Request
    _call: Call
    _stream: Stream | None
    _segment: str | None
    _salt: str | None

    @property
    def emitted(self) -> list[int]:
        """The tokens so far, end of sequence included."""
        return self.row.emitted

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.row.ended

    def result(self) -> Tensor:
        """What `generate()` returns, `int64[1, P + emitted]`.

        Raises GuardError where a guard could not go on, and whatever a processor, criterion or streamer has raised.
        """
        self._call.raise_failed()
        return self._call.text.batch()


class ModelEngine:
    """Rows of many requests, moved on together by one model.

    >>> with ngramspec.ModelEngine(model) as engine:                              # doctest: +SKIP
    ...     answers = [engine.add(ids, max_new_tokens=200) for ids in prompts]    # doctest: +SKIP
    ...     while not engine.is_idle:                                             # doctest: +SKIP
    ...         ended = engine.step()                                             # doctest: +SKIP

    Requests join between steps, in the order in which they were added, and leave when they end or are removed. Whatever
    comes and goes beside it, a request's text is that of `generate()` for its prompt alone and its seed (in float64; in
    lower precision up to rounding). Of models whose rows go in line (`docs/families.md`) each request is read in passes
    of its own. What a processor, a criterion or a streamer raises ends its own request, and no other one. For one
    thread at a time.
    """

    def __init__(
        self,
        model: Model,
        spec: Speculator | None = None,
        *,
        max_rows: int = 32,
        max_cache_bytes: int = 1 << 30,
        max_prompt_tokens: int = 256,
    ) -> None:
        """spec: drafts, budget and statistics; by default a new one.

        max_rows: requests that are decoded at once; others wait. max_cache_bytes: of keys and values, with what is kept
        of ended requests for those that begin alike. max_prompt_tokens: read of a prompt in one step, while others
        decode.

        Raises RefusedError for a model that cannot be drafted for, or that has to be tried first.
        """
        self.spec = spec if spec is not None else Speculator()
        self._model = model
        self._max_rows = max_rows
        self._threads = MaskThreads()
        self._engine = Engine(
            agreed(self.spec.budget, model),
            self.spec.costs.of(model),
            self.spec.clock,
            max_prompt_tokens=max_prompt_tokens,
        )
        self._max_cache_bytes = max_cache_bytes
        self._pool: LinePool | None = None
        self._waiting: deque[Answer] = deque()
        self._answers: dict[ModelRow, Answer] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no request is left."""
        return not self._answers and not self._waiting

    @property
    def num_shared_tokens(self) -> int:
        """Tokens of prompts that another request had read already."""
        return 0 if self._pool is None else self._pool.num_shared

    def add(
        self,
        input_ids: Tensor,
        *,
        streamer: BaseStreamer | None = None,
        seed: int | None = None,
        segment: str | None = None,
        cache_salt: str | None = None,
        references: Sequence[Any] | None = None,
        speculate: bool = True,
        **arguments: Any,
    ) -> Answer:
        """Add a request: the prompt `input_ids` `int64[1, P]`, and arguments of `generate()` by name.

        seed: of its draws, where it samples; by default drawn from torch's generator. The others as in
        `Speculator.__call__`; what is shared of prompts is shared within one `cache_salt`.

        Raises what `generate()` raises for its arguments, RefusedError and PromptError; then nothing was added.
        """
        stream = None if streamer is None else Stream(streamer)
        request = self._prepared(input_ids, stream, arguments)
        segments = segments_of(segment, 1, 1)
        (key,) = keys_of(segments, cache_salt, 1)
        sources = sources_of(self.spec, segments, [key], references, speculate=speculate)
        generator = None
        if request.config.do_sample:
            (drawn,) = row_seeds(1) if seed is None else (seed,)
            generator = torch.Generator(input_ids.device).manual_seed(drawn)
        if why_aligned(request.model, request.given_inputs) is None and not self._lines(request).fits(
            request.most_slots
        ):
            raise PromptError(
                f"a request must fit into max_cache_bytes={self._max_cache_bytes}, got one that may come to take"
                f" {request.most_slots} tokens: shorten it, lower max_new_tokens, or give the engine more"
            )
        call = open_call(request, sources, self._threads, generator)
        call.keeps_errors = True
        answer = Answer(call.rows[0], request, call, stream, segment, cache_salt)
        if stream is not None:
            stream.put(input_ids.cpu())
        self._waiting.append(answer)
        return answer

    def step(self) -> list[Answer]:
        """Let requests join that have room, and move all of them on; returns those that ended with it."""
        self._join()
        with torch.no_grad():
            ended = self._engine.step()
        done = [self._done(row) for row in ended]
        for answer in list(self._answers.values()):
            _streamed(answer, answer._call.flush)
            if answer.ended:  # its streamer has raised
                self._engine.remove([answer.row])
                done.append(self._done(answer.row))
        return done

    def remove(self, answer: Answer) -> None:
        """Let a request go that has not ended; its `emitted` tokens stay as they are."""
        if answer in self._waiting:
            self._waiting.remove(answer)
            answer.row.close()
            _end(answer)
        elif answer.row in self._answers:
            self._engine.remove([answer.row])
            self._done(answer.row)

    def close(self) -> None:
        """Remove all requests, and end the threads."""
        for answer in [*self._waiting, *self._answers.values()]:
            self.remove(answer)
        self._threads.__exit__()

    def __enter__(self) -> "ModelEngine":
        """Open until the `with` block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See `close`."""
        self.close()

    def _prepared(self, input_ids: Tensor, stream: Stream | None, arguments: dict[str, Any]) -> Request:
        """What `generate()` makes of a call's arguments, which decodes nothing."""
        prepared: list[Request] = []

        def take(
            model: Model,
            input_ids: Tensor,
            logits_processor: Any,
            stopping_criteria: Any,
            generation_config: Any,
            inputs_tensor: Tensor | None = None,
            **model_kwargs: Any,
        ) -> Tensor:
            request = Request(
                model,
                input_ids,
                logits_processor,
                stopping_criteria,
                generation_config,
                model_kwargs,
                stream,
                inputs_tensor,
            )
            request, why_plainly, trial = way_of(request)
            if why_plainly is not None or trial is not None:
                reason = why_plainly or "has to be tried first, by a call of generate() with this Speculator's process"
                raise RefusedError(f"an engine decodes with drafts alone, and {type(model).__name__} {reason}")
            prepared.append(request)
            return input_ids

        refuse_early(self._model, arguments)
        arguments = {**arguments, "custom_generate": take}
        replace_stop_strings(self._model, arguments)
        self._model.generate(input_ids, **arguments)
        (request,) = prepared
        if len(request.input_ids) != 1:
            raise RefusedError(f"an engine takes prompts one by one, got {len(request.input_ids)} rows: add each")
        if request.mask is not None and not bool(request.mask.all()):
            raise PromptError("a prompt in an engine needs no padding, got an attention_mask with zeros: leave it out")
        if request.keeps_cache:
            raise RefusedError(
                "an engine keeps no cache for the caller, got past_key_values or return_dict_in_generate: leave it out,"
                " for common beginnings are shared anyway"
            )
        return replace(request, model_kwargs={**request.model_kwargs, "attention_mask": None})

    def _join(self) -> None:
        while self._waiting and len(self._answers) < self._max_rows:
            answer = self._waiting[0]
            request, row = answer._request, answer.row
            if not _is_ragged(request):
                self._engine.add([row], AlignedTarget(request, [row]))
            else:
                pool = self._lines(request)
                if any(other.reads_prompt for other in self._answers) or not pool.can_join(request.most_slots):
                    return
                pool.join(row, request.most_slots, answer._salt)
                self._engine.add([row], pool, pool)
            self._answers[row] = self._waiting.popleft()

    def _lines(self, request: Request) -> LinePool:
        if self._pool is None:
            self._pool = LinePool(self._model, request.input_ids.device, self._max_cache_bytes)
        return self._pool

    def _done(self, row: Any) -> Answer:
        answer = self._answers.pop(row)
        self.spec.stats.add(row.counters, answer._segment)
        _end(answer)
        return answer


def _is_ragged(request: Request) -> bool:
    return why_aligned(request.model, request.given_inputs) is None


def _end(answer: Answer) -> None:
    _streamed(answer, answer._call.flush)
    if answer._stream is not None:
        _streamed(answer, answer._stream.end)


def _streamed(answer: Answer, tell: Callable[[], None]) -> None:
    """Tell a request's streamer something; what it raises ends that request."""
    try:
        tell()
    except Exception as error:  # a stranger's: whatever it is, no other request is to know of it
        row = answer.row
        row.error, row.ended = row.error or error, True
