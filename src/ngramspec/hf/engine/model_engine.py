"""Decodes many requests at once, which join and leave. Each gets the text of `generate()` for its prompt alone."""

from collections.abc import Hashable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ngramspec.decoding import Engine
from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf.choice.masks import MaskThreads
from ngramspec.hf.choice.sampling import row_seeds
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.engine.answer import Answer, finish, tell
from ngramspec.hf.engine.preparing import prepared
from ngramspec.hf.engine.recording import AnswerLog, Record, Recorded
from ngramspec.hf.engine.waiting import WaitingQueue
from ngramspec.hf.entry.generate import drafters_of
from ngramspec.hf.entry.segments import keys_of, segments_of
from ngramspec.hf.entry.speculator import Speculator
from ngramspec.hf.entry.templates import templates_of
from ngramspec.hf.entry.tensor_parallel import agreed
from ngramspec.hf.facts.running_state import has_running_state
from ngramspec.hf.rows.opening import open_call
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.seam import BaseStreamer
from ngramspec.hf.target.choosing import joins_others, pool_of, target_of
from ngramspec.hf.target.pool import LinePool
from ngramspec.hf.target.state_pool import LEAST_READ, StatePool
from ngramspec.hf.types import Model


class ModelEngine:
    """Decodes the rows of many requests together with one model.

    >>> with ngramspec.ModelEngine(model) as engine:                              # doctest: +SKIP
    ...     answers = [engine.add(ids, max_new_tokens=200) for ids in prompts]    # doctest: +SKIP
    ...     while not engine.is_idle:                                             # doctest: +SKIP
    ...         ended = engine.step()                                             # doctest: +SKIP

    Requests join between steps, in the order in which they were added, but those of one owner take turns with others.
    They leave when they end or are removed. Whatever joins and leaves beside it, a request's text is that of
    `generate()` for its prompt alone and its seed (exactly in float64, up to rounding in lower precision). With models
    whose rows must be aligned (`docs/families.md`), each request has passes of its own. An error of a processor,
    criterion or streamer ends only its own request. Not for use by several threads at once.
    """

    def __init__(
        self,
        model: Model,
        spec: Speculator | None = None,
        *,
        max_rows: int = 32,
        max_cache_bytes: int = 1 << 30,
        max_prompt_tokens: int = 256,
        record: Record | None = None,
    ) -> None:
        """spec: drafts, budget and statistics; by default a new one.

        max_rows: requests that are decoded at once; others wait.
        max_cache_bytes: of keys and values, of running states and of the states' copies. Those of ended requests count,
        too, because they are kept for prompts with the same prefix; requests with aligned rows do not count.
        max_prompt_tokens: tokens of a prompt that are read for each token that the others emit, while others decode; at
        least 3 if the model keeps a running state.
        record: called with each answer that ended by itself, and the model's likeliest tokens at each of its positions,
        such as `replay.Recording(path).write`. Its first error is logged, and ends no request.

        Raises ValueError unless `max_rows` and `max_prompt_tokens` are whole numbers >= 1.
        """
        for name, value in (("max_rows", max_rows), ("max_prompt_tokens", max_prompt_tokens)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        self.spec = spec if spec is not None else Speculator()
        self._model = model
        self._max_rows = max_rows
        self._log = None if record is None else AnswerLog(record)
        self._is_closed, self._num_shared = False, 0
        self._threads = MaskThreads()
        self._engine = Engine(
            agreed(self.spec.budget, model),
            self.spec.costs.of(model),
            self.spec.clock,
            max_prompt_tokens=max(max_prompt_tokens, LEAST_READ if has_running_state(model) else 1),
        )
        self._max_cache_bytes = max_cache_bytes
        self._pool: LinePool | StatePool | None = None
        self._waiting: WaitingQueue[Answer] = WaitingQueue()
        self._answers: dict[ModelRow, Answer] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no request is left."""
        return not self._answers and not self._waiting

    @property
    def device(self) -> torch.device:
        """The device of the model, where prompts must be."""
        device: torch.device = self._model.device
        return device

    @property
    def num_shared_tokens(self) -> int:
        """Prompt tokens that were shared with another request instead of read."""
        return self._num_shared + (0 if self._pool is None else self._pool.num_shared)

    @property
    def num_unrecorded(self) -> int:
        """Answers for which `record` raised."""
        return 0 if self._log is None else self._log.num_lost

    @property
    def num_running(self) -> int:
        """Requests that have joined and not left."""
        return len(self._answers)

    @property
    def num_waiting(self) -> int:
        """Requests that wait for room."""
        return len(self._waiting)

    @property
    def failing(self) -> list[Answer]:
        """The requests of the failed pass, if `step` has raised; once they are removed, the others can go on."""
        return [answer for row, answer in self._answers.items() if row in self._engine.failing]

    @property
    def cache_usage(self) -> float:
        """Share of `max_cache_bytes` that the lines of running requests take, from 0 to 1."""
        return 0.0 if self._pool is None else self._pool.usage

    def add(
        self,
        input_ids: Tensor,
        *,
        streamer: BaseStreamer | None = None,
        seed: int | None = None,
        segment: str | None = None,
        cache_salt: str | None = None,
        history: str | None = None,
        references: Sequence[Any] | None = None,
        speculate: bool = True,
        owner: Hashable = None,
        **arguments: Any,
    ) -> Answer:
        """Add a request: the prompt `input_ids` `int64[1, P]`, and arguments of `generate()` by name.

        seed: of its draws, if it samples; by default drawn from torch's generator. The others are those of
        `Speculator.__call__`; prompts are shared within one `cache_salt` only.
        history: name of the history that the request drafts from and adds to, instead of its segment's, in the same
        namespace. Nothing is counted under that name: for histories that are too many and too short-lived to be
        counted, such as one for the samples of each prompt.
        owner: of several requests, such as samples of one prompt. While there is no room, the requests of one owner
        take turns with others, so that nobody waits for all of them. None: this request is on its own.

        Raises what `generate()` raises for its arguments, RefusedError and PromptError; nothing was added then, and the
        streamer has been ended. RefusedError also for a model that cannot be drafted for, or that has hooks, adapters
        or other custom parts, and once the engine is closed; ValueError for a seed that is not from 0 to 2**64 - 1.
        """
        if self._is_closed:
            raise RefusedError("an engine takes no request after close(): make a new one")
        if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**64):
            raise ValueError(f"seed must be a whole number from 0 to 2**64 - 1, got {seed!r}")
        stream = None if streamer is None else Stream(streamer)
        try:
            with torch.inference_mode(mode=False):
                answer = self._opened(
                    input_ids, stream, seed, segment, cache_salt, history, references, arguments, speculate=speculate
                )
            if stream is not None:
                stream.put(answer._call.text.row(0).cpu())
        except BaseException:
            if stream is not None:
                stream.end()
            raise
        self._waiting.add(answer, answer if owner is None else owner)
        return answer

    def _opened(
        self,
        input_ids: Tensor,
        stream: Stream | None,
        seed: int | None,
        segment: str | None,
        cache_salt: str | None,
        history: str | None,
        references: Sequence[Any] | None,
        arguments: dict[str, Any],
        *,
        speculate: bool,
    ) -> Answer:
        recorded = None if self._log is None else Recorded(input_ids, segment)
        if recorded is not None:
            arguments = recorded.with_recorder(arguments)
        request = prepared(self.spec, self._model, input_ids, arguments, stream)
        is_ragged = request.is_ragged()
        if is_ragged:
            _check_positions(request)
        joins = joins_others(request, is_ragged=is_ragged)
        if joins:
            self._check_slots(request)
        segments = segments_of(segment, 1, 1)
        (key,) = keys_of(segments if history is None else segments_of(history, 1, 1), cache_salt, 1)
        drafters = drafters_of(self.spec, segments, [key], references, speculate=speculate)
        generator = None
        if request.config.do_sample:
            (drawn,) = row_seeds(1) if seed is None else (seed,)
            generator = torch.Generator(input_ids.device).manual_seed(drawn)
        call = open_call(request, drafters, self._threads, is_ragged=is_ragged, generator=generator)
        call.keeps_errors = True
        (template,) = templates_of(request)
        return Answer(call.rows[0], call, request, stream, segment, cache_salt, template, joins, recorded)

    def step(self) -> list[Answer]:
        """Let waiting requests join while there is room, and decode all for one step; returns those that ended.

        Raises what a forward pass raises. Nothing was committed then: once the `failing` requests are removed, the
        others can continue, unless `check_device` raises. After an interrupt the engine is closed.
        """
        with torch.inference_mode(mode=False), torch.no_grad():
            failed: list[Answer] = []
            self._join(failed)
            try:
                ended = self._engine.step(partial(self._join, failed))
            except BaseException as error:
                # After an error of the pass nothing was committed, and another step may follow. An interrupt may come
                # half-way, and then the committed tokens of rows are not reliable.
                if not isinstance(error, Exception):
                    self.close()
                raise
        done = failed + [self._done(row) for row in ended]
        for answer in [each for each in self._answers.values() if each._stream is not None]:
            tell(answer, answer._call.flush)
            if answer.ended:  # its streamer raised
                self._engine.remove([answer.row])
                done.append(self._done(answer.row))
        if self._log is not None:
            for answer in done:
                if answer._recorded is not None and answer.row.error is None:
                    self._log.add(answer._recorded, answer.emitted)
        return done

    def check_device(self) -> None:
        """Raise the error of the model's device if it no longer works, such as a lost GPU.

        Copies one number of the model to the host, which takes no memory on the device.
        """
        next(self._model.parameters()).detach().view(-1)[:1].tolist()

    def remove(self, answer: Answer) -> None:
        """Drop a request that has not ended; its `emitted` tokens stay as they are."""
        if answer in self._waiting:
            self._waiting.remove(answer)
            answer.row.close()
            finish(answer)
        elif answer.row in self._answers:
            self._engine.remove([answer.row])
            self._done(answer.row)

    def close(self) -> None:
        """Remove all requests, and end the threads."""
        for answer in [*self._waiting, *self._answers.values()]:
            self.remove(answer)
        self._threads.__exit__()
        self._num_shared, self._pool = self.num_shared_tokens, None
        self._is_closed = True

    def __enter__(self) -> "ModelEngine":
        """The engine, open until the `with` block ends."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See `close`."""
        self.close()

    def _check_slots(self, request: Request) -> None:
        """Raise PromptError for a row that does not fit into any line."""
        if not self._lines(request).fits(self._num_slots(request)):
            raise PromptError(
                f"a request must fit into max_cache_bytes={self._max_cache_bytes}, got one that may take"
                f" {self._num_slots(request)} tokens, drafts included: shorten it, lower max_new_tokens, or give the"
                " engine more"
            )

    def _join(self, failed: list[Answer]) -> None:
        """Let requests join in order while there is room; `failed` gets those that ended because memory ran out."""
        while self._waiting and len(self._answers) < self._max_rows:
            answer = self._waiting.next
            request, row = answer._request, answer.row
            assert request is not None
            try:
                if not answer._joins_others:
                    self._engine.add([row], target_of(request, [row], is_ragged=False))
                elif self._can_join(request):
                    pool = self._lines(request)
                    pool.join(row, self._num_slots(request), answer._salt)
                    self._engine.add([row], pool, pool)
                else:
                    break
            except (torch.OutOfMemoryError, MemoryError) as error:
                row.error = error
                row.close()
            self._answers[row] = self._waiting.take()
            if row.ended:
                failed.append(self._done(row))

    def _can_join(self, request: Request) -> bool:
        is_reading = any(row.reads_prompt for row in self._answers)
        return not is_reading and self._lines(request).can_join(self._num_slots(request))

    def _num_slots(self, request: Request) -> int:
        """The most slots that a row may take: its text plus the columns of the widest draft."""
        return request.most_slots + self.spec.budget.max_draft_tokens

    def _lines(self, request: Request) -> LinePool | StatePool:
        if self._pool is None:
            self._pool = pool_of(self._model, request.input_ids.device, self._max_cache_bytes)
        return self._pool

    def _done(self, row: Any) -> Answer:
        answer = self._answers.pop(row)
        self.spec.stats.add(row.counted(), answer._segment, answer._template)
        finish(answer)
        return answer


def _check_positions(request: Request) -> None:
    """Raise RefusedError if slots are not positions, which shared prefixes require."""
    if not torch.equal(request.position_ids[0].cpu(), torch.arange(request.num_slots)):
        raise RefusedError("an engine counts positions from 0, got other position_ids: leave them out")
