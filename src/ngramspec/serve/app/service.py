"""A service: a model on a thread of its own, the bounds on its requests, and its metrics."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import torch

from ngramspec.drafting import AdaptiveLookup
from ngramspec.hf.engine.model_engine import ModelEngine
from ngramspec.hf.entry.speculator import Speculator
from ngramspec.replay import Recording
from ngramspec.serve.app.admission import Admission
from ngramspec.serve.app.histories import Histories
from ngramspec.serve.app.keys import Keys
from ngramspec.serve.app.meters import Meters
from ngramspec.serve.app.tracing import Tracing
from ngramspec.serve.endpoints.answering import Answering
from ngramspec.serve.endpoints.served_model import ServedModel
from ngramspec.serve.engine.job import Job, News
from ngramspec.serve.engine.thread import EngineThread
from ngramspec.serve.settings import Settings
from ngramspec.serve.wire.errors import unready

PREPARING_THREADS = 4
"""Requests with short bodies that are tokenised at once; as many more with long ones."""

LONG_BYTES = 1 << 16
"""Longer bodies are tokenised on threads of their own: a megabyte takes seconds, and short ones must not wait."""

Load = Callable[[], tuple[Any, Any]]
"""Returns a model and its tokenizer."""


class Service:
    """The state that all requests share. It belongs to one event loop, from `start` to `stop`."""

    def __init__(
        self,
        load: Load,
        settings: Settings,
        *,
        spec: Speculator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """load: called once, on the engine's thread, while the service already answers.

        spec: see `ModelEngine`; by default one with the history and the costs that `settings` name.
        clock: monotonic, in seconds; for deadlines and times.
        """
        self.settings, self.clock = settings, clock
        self.keys = Keys(settings.api_keys)
        self.tracing = Tracing(clock)
        self.admission = Admission(settings.max_rows + settings.max_waiting)
        self.created = int(time.time())
        self._preparing, self._preparing_long = (
            ThreadPoolExecutor(PREPARING_THREADS, thread_name_prefix=f"ngramspec-preparing{kind}")
            for kind in ("", "-long")
        )
        # A thread per request: each only waits for the processes of `guards.workers`, which share time out fairly.
        self.compiling = ThreadPoolExecutor(self.admission.most, thread_name_prefix="ngramspec-compiling")
        self._load, self._spec = load, spec
        self._served: ServedModel | None = None
        self.thread: EngineThread | None = None
        self.meters = Meters(settings.name, lambda: None if self.thread is None else self.thread.engine, clock)
        self._histories: Histories | None = None
        self._recording = None if settings.record is None else Recording(settings.record)
        self._has_opened, self._has_ended = asyncio.Event(), asyncio.Event()

    def start(self) -> None:
        """Start to load the model."""
        loop = asyncio.get_running_loop()
        self.thread = EngineThread(
            self._opened,
            lambda news: _post(loop, news),
            lambda: _set(loop, self._has_opened),
            ended=lambda: _set(loop, self._has_ended),
            max_seconds=self.settings.max_seconds,
            clock=self.clock,
        )
        self.thread.start()

    async def ready(self) -> ServedModel:
        """Wait until the model is loaded; raises what loading it raised."""
        await self._has_opened.wait()
        if self._served is None:
            assert self.thread is not None
            raise self.thread.error or AssertionError("a model that is not there could not be loaded")
        return self._served

    async def ended(self) -> BaseException | None:
        """Wait until decoding has ended; returns the error that ended it, None if the service was stopped."""
        await self._has_ended.wait()
        return self.engine.error

    async def stop(self) -> None:
        """End all answers and threads."""
        if self.thread is not None:
            await asyncio.to_thread(self.thread.stop)
        for threads in (self._preparing, self._preparing_long, self.compiling):
            await asyncio.to_thread(threads.shutdown)
        if self._histories is not None:
            await asyncio.to_thread(self._histories.stop)
        if self._recording is not None:
            self._recording.close()

    def preparing(self, num_bytes: int) -> Executor:
        """The threads that tokenise a body of `num_bytes`."""
        return self._preparing if num_bytes <= LONG_BYTES else self._preparing_long

    @property
    def served(self) -> ServedModel:
        """The model; raises ApiError (503) before it is loaded and after it has failed."""
        if self.thread is not None and self.thread.is_over:
            raise unready("the service is about to end: ask again")
        if self._served is None:
            raise unready("the model is being loaded: ask again")
        return self._served

    @property
    def engine(self) -> EngineThread:
        """The thread that decodes; it must have been started."""
        assert self.thread is not None
        return self.thread

    @property
    def most_drafted(self) -> int:
        """Tokens of the longest draft that the budget allows."""
        engine = self.engine.engine
        assert engine is not None
        return engine.spec.budget.max_draft_tokens

    @property
    def is_alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self.thread is not None and not self.thread.is_over

    def _opened(self) -> ModelEngine:
        """Open the engine, on its thread. A model that it cannot decode is refused here, not at each request."""
        model, tokenizer = self._load()
        served = ServedModel(model, tokenizer, self.settings)
        path = self.settings.history
        histories = None if path is None else Histories(path, tokenizer, served.spellings)
        engine = ModelEngine(
            model,
            self._spec or self._speculator(served, histories),
            max_rows=self.settings.max_rows,
            max_cache_bytes=self.settings.max_cache_bytes,
            record=None if self._recording is None else self._recording.write,
        )
        token = torch.tensor([[served.pad_token]], device=engine.device)
        engine.remove(engine.add(token, max_new_tokens=1, attention_mask=torch.ones_like(token)))
        if histories is not None:
            histories.start()
        self.tracing.observe(engine.spec)
        self._histories = histories
        self._served = served
        return engine

    def _speculator(self, served: ServedModel, histories: Histories | None) -> Speculator:
        drafter = AdaptiveLookup(vocabulary=served.spellings) if histories is None else histories.drafter
        spec = Speculator(drafter)
        if self.settings.costs is not None:
            spec.load_costs(self.settings.costs)
        return spec


def _post(loop: asyncio.AbstractEventLoop, news: list[tuple[Job, News]]) -> None:
    loop.call_soon_threadsafe(_tell, news)


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


def _tell(news: list[tuple[Job, News]]) -> None:
    for job, each in news:
        owner: Answering = job.owner
        owner.tell(job, each)
