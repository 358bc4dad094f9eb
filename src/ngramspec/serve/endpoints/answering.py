"""The answers of one request, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from ngramspec.guards import Guard
from ngramspec.serve.endpoints.answer_so_far import AnswerSoFar, text_in
from ngramspec.serve.endpoints.prediction import num_common
from ngramspec.serve.endpoints.prepared_request import PreparedRequest
from ngramspec.serve.engine.job import Ended, Job, Joined, News, NewTokens
from ngramspec.serve.engine.logprobs import TokenScores
from ngramspec.serve.text.parts import Part
from ngramspec.serve.wire.answers import FinishReason
from ngramspec.serve.wire.drafts import PassToken
from ngramspec.serve.wire.logprobs import LEAST_LOGPROB, TokenLogprob, TopLogprob
from ngramspec.serve.wire.usage import TokenCounts
from ngramspec.stats import Counters


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """The part of an answer that is new.

    num_tokens: in it. text: without reasoning and calls, which are among `parts`. passed: its tokens, if requested.
    offset: where they begin, in characters of all tokens decoded one by one. finish: why the answer has ended, once it
    has; stop: the stop string that ended it.
    """

    index: int
    num_tokens: int
    text: str
    parts: list[Part] = field(default_factory=list)
    passed: list[PassToken] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    offset: int = 0
    finish: FinishReason | None = None
    stop: str | None = None


class AnswerObserver(Protocol):
    """Observes the answers of a request."""

    def tokens(self, index: int, num_tokens: int) -> None:
        """An answer has `num_tokens` more tokens."""

    def finished(self, index: int, reason: FinishReason) -> None:
        """An answer is complete."""


class Answering:
    """The answers of one request, and the owner of their jobs.

    jobs: to submit to the engine's thread, and to drop there unless all have ended.
    """

    def __init__(
        self, prepared: PreparedRequest, guard: Guard | None, deadline: float, *watches: AnswerObserver
    ) -> None:
        self.jobs = prepared.jobs(self, guard, deadline)
        self._prepared, self._watches = prepared, watches
        self._inbox: asyncio.Queue[tuple[Job, News]] = asyncio.Queue()
        self._written = [
            AnswerSoFar(
                prepared.text(index), prepared.parts(index), prepared.origins(index, has_form=guard is not None)
            )
            for index in range(len(self.jobs))
        ]
        self._num_open = len(self.jobs)
        self._counters, self._num_shared = Counters(), 0
        self._spellings: dict[int, tuple[str, tuple[int, ...]]] = {}

    def tell(self, job: Job, news: News) -> None:
        """Take in the news of a job, on the event loop."""
        self._inbox.put_nowait((job, news))

    @property
    def is_over(self) -> bool:
        """Whether all answers have ended."""
        return not self._num_open

    async def joined(self) -> None:
        """Wait until the engine has taken all jobs; raises ApiError if it does not."""
        _, news = await self._inbox.get()
        if isinstance(news, Ended):
            self._num_open = 0  # none has joined
            raise news.error or AssertionError("a job that has not joined ends with an error")
        assert isinstance(news, Joined)

    async def pieces(self) -> AsyncIterator[AnswerPiece]:
        """The pieces, until all answers have ended; raises ApiError if one cannot be completed."""
        while self._num_open:
            job, news = await self._inbox.get()
            if isinstance(news, NewTokens):
                yield self._more(job.index, news)
            elif isinstance(news, Ended):
                self._num_open -= 1
                self._counters.add(news.counters)
                if job.index % self._prepared.request.n == 0:  # further answers to a prompt share it in any case
                    self._num_shared += news.num_shared
                if news.error is not None:
                    raise news.error
                yield self._last(job.index)

    def counts(self, most_drafted: int) -> TokenCounts:
        """Tokens read and written, once all answers have ended; most_drafted: tokens of the longest draft."""
        prediction = self._prepared.prediction
        predicted = None
        if prediction is not None:
            accepted = sum(num_common(prediction, written.tokens) for written in self._written)
            predicted = accepted, len(prediction) * len(self._written) - accepted
        return TokenCounts(
            num_prompt=self._prepared.num_prompt_tokens,
            num_shared=self._num_shared,
            num_written=sum(len(written.tokens) for written in self._written),
            num_reasoning=sum(written.num_reasoning for written in self._written),
            predicted=predicted,
            counters=self._counters,
            most_drafted=most_drafted,
        )

    def _more(self, index: int, news: NewTokens) -> AnswerPiece:
        written = self._written[index]
        for watch in self._watches:
            watch.tokens(index, len(news.tokens))
        logprobs, offset = [self._logprob(scores) for scores in news.scores], written.offset
        written.offset += sum(len(each.token) for each in logprobs)
        parts, passed = written.read(news)
        return AnswerPiece(index, len(news.tokens), text_in(parts), parts, passed, logprobs, offset)

    def _last(self, index: int) -> AnswerPiece:
        written = self._written[index]
        parts, stop = written.finish(), written.text.stop
        is_end = not self._prepared.request.ignore_eos and written.tokens[-1] in self._prepared.ends(index)
        finish: FinishReason = "stop" if is_end or stop is not None else "length"
        if finish == "stop" and written.has_called:
            finish = "tool_calls"
        for watch in self._watches:
            watch.finished(index, finish)
        is_clients = stop in self._prepared.request.stops
        return AnswerPiece(index, 0, text_in(parts), parts, finish=finish, stop=stop if is_clients else None)

    def _logprob(self, scores: TokenScores) -> TokenLogprob:
        (text, spelled), logprob = self._spelled(scores.token), max(scores.logprob, LEAST_LOGPROB)
        return TokenLogprob(text, logprob, spelled, [self._top(*each) for each in scores.top])

    def _top(self, token: int, logprob: float) -> TopLogprob:
        text, spelled = self._spelled(token)
        return TopLogprob(text, max(logprob, LEAST_LOGPROB), spelled)

    def _spelled(self, token: int) -> tuple[str, tuple[int, ...]]:
        """The text and the bytes of a token. Cached, because log probabilities name the same few tokens often."""
        if token not in self._spellings:
            raw = self._prepared.served.bytes_of(token)
            self._spellings[token] = raw.decode(errors="replace"), tuple(raw)
        return self._spellings[token]
