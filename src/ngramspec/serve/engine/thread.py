"""The one thread that owns a `ModelEngine`: it takes jobs between steps, and sends tokens after each step."""

import logging
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

import torch

from ngramspec.errors import GuardError, GuardWarning, NgramspecError
from ngramspec.hf.engine.answer import Answer
from ngramspec.hf.engine.model_engine import ModelEngine
from ngramspec.serve.engine.job import Ended, Job, Joined, News, NewTokens
from ngramspec.serve.wire.errors import ApiError, failed, invalid, overdue, unready

logger = logging.getLogger(__name__)

Post = Callable[[list[tuple[Job, News]]], None]
"""Passes the news of a step to the owners of the jobs; called on the engine's thread."""

MOST_ADDED = 4
"""Jobs added between two steps; the last owner's are all added. Each takes a few milliseconds, in which all rows
wait."""


class EngineThread:
    """Decodes jobs until it is stopped or the model's device is lost, after which no job could be decoded.

    A bad request, or a pass that runs out of memory, ends only its own requests.

    engine: None until it is open. error: why it could not be opened, or has failed. is_over: whether the thread ended.
    """

    def __init__(
        self,
        open_engine: Callable[[], ModelEngine],
        post: Post,
        opened: Callable[[], None],
        *,
        ended: Callable[[], None] = lambda: None,
        max_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """open_engine: loads the model, on this thread. opened: called there after that succeeded or failed.

        ended: called there once decoding has ended, because it was stopped or has failed.
        max_seconds: of a job, from which its deadline was computed. clock: that of the deadlines.
        """
        self.engine: ModelEngine | None = None
        self.error: BaseException | None = None
        self.is_over = False
        self._open_engine, self._post, self._opened, self._ended = open_engine, post, opened, ended
        self._max_seconds, self._clock = max_seconds, clock
        self._submitted: SimpleQueue[Sequence[Job] | None] = SimpleQueue()  # None: to end
        self._active: dict[Job, Answer] = {}
        self._thread = Thread(target=self._run, name="ngramspec-engine", daemon=True)

    def start(self) -> None:
        """Open the engine, and start to decode."""
        self._thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Decode all of `jobs`, which have one owner, or none if one of them cannot be decoded.

        The owner learns that they joined, or why they did not.
        """
        self._submitted.put(jobs)
        if self.is_over:  # the thread will not take them
            self._refuse_all()

    def drop(self, jobs: Sequence[Job]) -> None:
        """Drop those of `jobs` that have not ended, before the next step; there is no further news of them."""
        for job in jobs:
            job.is_dropped = True

    def stop(self) -> None:
        """End all jobs and the thread, and wait for it."""
        self._submitted.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._open_engine() as self.engine:
                self._opened()
                while self._take(self.engine):
                    self._advance(self.engine)
        except BaseException as error:
            self.error = error
            if self.engine is not None:  # else `_opened` reports it
                logger.exception("the engine has failed")
        finally:
            self.is_over = True
            self._end(list(self._active), unready("the service is about to end: ask again"))
            self._refuse_all()
            if self.engine is None:
                self._opened()
            self._ended()

    def _take(self, engine: ModelEngine) -> bool:
        """Drop jobs, and let new ones join; waits for one while there is nothing to decode. Returns False to end."""
        self._remove(engine, [job for job in self._active if job.is_dropped])
        num_added = 0
        while engine.is_idle or (num_added < MOST_ADDED and not self._submitted.empty()):
            jobs = self._submitted.get()
            if jobs is None:
                return False
            if not any(job.is_dropped for job in jobs):
                self._add(engine, jobs)
                num_added += len(jobs)
        return True

    def _add(self, engine: ModelEngine, jobs: Sequence[Job]) -> None:
        try:
            for job in jobs:
                prompt = job.prompt.to(engine.device)
                mask = torch.ones_like(prompt)
                self._active[job] = engine.add(prompt, attention_mask=mask, owner=job.owner, **job.arguments)
        except Exception as error:
            self._remove(engine, jobs)
            self._end(jobs[:1], _refusal(error))
            engine.check_device()
        else:
            self._post([(jobs[0], Joined())])

    def _remove(self, engine: ModelEngine, jobs: Sequence[Job]) -> None:
        for job in jobs:
            answer = self._active.pop(job, None)
            if answer is not None:
                engine.remove(answer)

    def _advance(self, engine: ModelEngine) -> None:
        """Make one step, and send its tokens to the owners."""
        try:
            engine.step()
        except Exception:  # a pass failed: its rows would fail again
            logger.exception("a pass has failed, and with it its requests")
            engine.check_device()
            failing = engine.failing or list(self._active.values())
            jobs = [job for job, answer in self._active.items() if answer in failing]
            self._remove(engine, jobs)
            self._end(jobs, failed("the model has failed: ask again"))
            return
        news: list[tuple[Job, News]] = []
        late = []
        now = self._clock()
        for job, answer in self._active.items():
            if len(answer.emitted) > job.num_sent:
                news.append((job, _tokens(job, answer)))
            if answer.ended:
                news.append((job, _ended(answer)))
            elif now > job.deadline:
                late.append(job)
        for job, each in news:
            if isinstance(each, Ended):
                del self._active[job]
        if news:
            self._post(news)
        if late:
            self._remove(engine, late)
            self._end(late, overdue(self._max_seconds))

    def _end(self, jobs: Sequence[Job], error: ApiError) -> None:
        for job in jobs:
            self._active.pop(job, None)
        if jobs:
            self._post([(job, Ended(error=error)) for job in jobs])

    def _refuse_all(self) -> None:
        """Answer jobs that were submitted too late."""
        while True:
            try:
                jobs = self._submitted.get_nowait()
            except Empty:
                return
            self._end((jobs or [])[:1], unready("the service is about to end: ask again"))


def _tokens(job: Job, answer: Answer) -> NewTokens:
    tokens = answer.emitted[job.num_sent :]
    accepted = answer.row.counters.num_accepted_tokens
    num_accepted = accepted - job.num_accepted
    job.num_sent += len(tokens)
    job.num_accepted = accepted
    return NewTokens(tokens, () if job.logprobs is None else job.logprobs.take(tokens), num_accepted)


def _ended(answer: Answer) -> Ended:
    row = answer.row
    return Ended(row.counters, row.num_shared, _failure(row.error))


def _refusal(error: Exception) -> ApiError:
    """The client's error for a request that the engine does not take."""
    if isinstance(error, NgramspecError | GuardWarning):  # the latter if the process turns warnings into errors
        return invalid(str(error))
    logger.error("a request could not be taken", exc_info=error)
    return failed("the request could not be decoded")


def _failure(error: Exception | None) -> ApiError | None:
    """The client's error for an answer that could not be completed."""
    if error is None:
        return None
    if isinstance(error, GuardError):
        return failed(str(error), code="constraint_failed")
    logger.error("an answer could not be completed", exc_info=error)
    return failed("the answer could not be completed")
