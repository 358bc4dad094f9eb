"""OpenTelemetry: a span per request, and the metrics `gen_ai.server.*` and `ngramspec.*`, if its API is installed and
its SDK configured.

Names and meanings follow the semantic conventions for generative AI. Prompts and answers are never exported.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from ngramspec.hf.entry.speculator import Speculator
from ngramspec.serve.app.clients import ClientGone
from ngramspec.serve.wire.answers import FinishReason
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.requests import TextRequest
from ngramspec.serve.wire.usage import TokenCounts

PROVIDER = "ngramspec"

DURATIONS = [0.01 * 2**power for power in range(14)]
TOKEN_DURATIONS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5]
FIRST_TOKEN_DURATIONS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
"""Bucket bounds that the conventions advise, in seconds."""


class Tracing:
    """Makes spans; none without OpenTelemetry's API."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """clock: in seconds."""
        self.clock = clock
        try:
            from opentelemetry import metrics, trace
        except ImportError:
            self._tracer = None
            return
        self._tracer = trace.get_tracer(PROVIDER)
        meter = metrics.get_meter(PROVIDER)

        def histogram(name: str, meaning: str, bounds: list[float]) -> Any:
            return meter.create_histogram(
                f"gen_ai.server.{name}", unit="s", description=meaning, explicit_bucket_boundaries_advisory=bounds
            )

        self.duration = histogram("request.duration", "From request to last token.", DURATIONS)
        self.first_token = histogram("time_to_first_token", "From request to first token.", FIRST_TOKEN_DURATIONS)
        self.per_token = histogram("time_per_output_token", "Per token after the first one.", TOKEN_DURATIONS)

    def observe(self, spec: Speculator) -> None:
        """Export the counters of `spec`."""
        if self._tracer is not None:
            from ngramspec.watching import observe

            observe(spec)

    def request(
        self, request: TextRequest, operation: str, headers: Mapping[str, str], received_at: float
    ) -> "RequestTrace":
        """The trace of a request. headers: their `traceparent` names the parent span.

        operation: the conventions' name for the kind of request. received_at: on the clock.
        """
        trace = RequestTrace(self, operation, request.model, received_at)
        if self._tracer is not None:
            trace.span = self._span(request, operation, headers)
        return trace

    def _span(self, request: TextRequest, operation: str, headers: Mapping[str, str]) -> Any:
        from opentelemetry import propagate, trace

        is_within = trace.get_current_span().get_span_context().is_valid  # such as an ASGI middleware's
        context = None if is_within else propagate.extract(dict(headers))
        kind = trace.SpanKind.INTERNAL if is_within else trace.SpanKind.SERVER
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": request.model,
            "gen_ai.request.choice.count": request.n if request.n > 1 else None,
            "gen_ai.request.temperature": request.temperature,
            "gen_ai.request.top_p": request.top_p,
            "gen_ai.request.top_k": request.top_k,
            "gen_ai.request.seed": request.seed,
            "gen_ai.request.stream": request.stream or None,
        }
        assert self._tracer is not None
        span = self._tracer.start_span(f"{operation} {request.model}", context=context, kind=kind)
        span.set_attributes({name: value for name, value in attributes.items() if value is not None})
        return span


class RequestTrace:
    """The span of one request, up to the end of the `with` block; it is a `Watch`.

    span: None if nobody traces.
    """

    def __init__(self, tracing: Tracing, operation: str, model: str, received_at: float) -> None:
        self.span: Any = None
        self._tracing, self._received_at = tracing, received_at
        self._labels = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": model,
        }
        self._first_at: dict[int, float] = {}
        self._num_tokens: dict[int, int] = {}
        self._reasons: list[FinishReason] = []
        self._is_complete = False

    def __enter__(self) -> "RequestTrace":
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the span; with an error unless all answers are complete."""
        if self.span is None:
            return
        if error is not None and not isinstance(error, ClientGone):
            self.failed(error)
        elif not self._is_complete and "error.type" not in self._labels:
            self._mark("cancelled")
        self._tracing.duration.record(self._tracing.clock() - self._received_at, self._labels)
        self.span.end()

    def tokens(self, index: int, num_tokens: int) -> None:
        """See `Watch`."""
        if self.span is None:
            return
        now = self._tracing.clock()
        if index not in self._first_at:
            self._first_at[index] = now
            self._tracing.first_token.record(now - self._received_at, self._labels)
        self._num_tokens[index] = self._num_tokens.get(index, 0) + num_tokens

    def finished(self, index: int, reason: FinishReason) -> None:
        """See `Watch`."""
        self._reasons.append(reason)
        num_further = self._num_tokens.get(index, 0) - 1
        if self.span is not None and num_further > 0:
            seconds = self._tracing.clock() - self._first_at[index]
            self._tracing.per_token.record(seconds / num_further, self._labels)

    def completed(self, counts: TokenCounts) -> None:
        """All answers are complete."""
        self._is_complete = True
        if self.span is not None:
            self.span.set_attributes(
                {
                    "gen_ai.response.model": self._labels["gen_ai.request.model"],
                    "gen_ai.response.finish_reasons": self._reasons,
                    "gen_ai.usage.input_tokens": counts.num_prompt,
                    "gen_ai.usage.output_tokens": counts.num_written,
                    "gen_ai.usage.cache_read.input_tokens": counts.num_shared,
                    "ngramspec.target_passes": counts.counters.target_passes,
                    "ngramspec.accepted_draft_tokens": counts.counters.num_accepted_tokens,
                }
            )

    def failed(self, error: BaseException) -> None:
        """The answers will not be complete."""
        if self.span is not None:
            self._mark(str(error.status) if isinstance(error, ApiError) else type(error).__name__)

    def _mark(self, kind: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._labels["error.type"] = kind
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR))
