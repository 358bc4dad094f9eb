"""Figures of some requests in one arm: latencies, throughput, acceptance, host time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ngramspec.simulate.service import Served
from ngramspec.stats import Counters

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Percentiles of some requests, in seconds; 0.0 where there are none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Quantiles":
        """Of `seconds`, interpolated linearly between two requests."""
        return cls(*np.percentile(seconds, PERCENTILES).tolist()) if seconds else cls(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of some requests in one arm. seconds: of the whole run, other requests included; rates are per these.

    host_seconds: time of drafting for these requests.
    """

    requests: int
    seconds: float
    latency_s: Quantiles
    first_token_s: Quantiles
    per_token_s: Quantiles
    mean_latency_s: float
    host_seconds: float
    counters: Counters

    @classmethod
    def of(cls, served: Sequence[Served], seconds: float) -> "Figures":
        """Sum up `served`."""
        counters = Counters()
        for each in served:
            counters.add(each.counters)
        latencies = [each.latency for each in served]
        per_token = [each.seconds_per_token for each in served]
        return cls(
            len(served),
            seconds,
            Quantiles.of(latencies),
            Quantiles.of([each.seconds_to_first for each in served]),
            Quantiles.of([each for each in per_token if each is not None]),
            sum(latencies) / max(len(latencies), 1),
            sum(each.host_seconds for each in served),
            counters,
        )

    @property
    def tokens_per_second(self) -> float:
        """Emitted tokens over the time of the whole run."""
        return self.counters.tokens / self.seconds if self.seconds else 0.0

    @property
    def acceptance_by_position(self) -> list[float]:
        """For each position of a draft, the share of the drafts whose token there was accepted."""
        return [count / self.counters.num_drafts for count in self.counters.num_accepted_tokens_per_pos]

    def as_dict(self) -> dict[str, object]:
        """The figures that `ngramspec simulate --json` prints for an arm."""
        counters = self.counters
        return {
            "requests": self.requests,
            "seconds": self.seconds,
            "latency_s": asdict(self.latency_s),
            "first_token_s": asdict(self.first_token_s),
            "per_token_s": asdict(self.per_token_s),
            "mean_latency_s": self.mean_latency_s,
            "tokens_per_second": self.tokens_per_second,
            "requests_per_second": self.requests / self.seconds if self.seconds else 0.0,
            "tokens": counters.tokens,
            "target_passes": counters.target_passes,
            "tokens_per_pass": counters.tokens_per_pass,
            "num_draft_tokens": counters.num_draft_tokens,
            "num_accepted_tokens": counters.num_accepted_tokens,
            "num_wasted_tokens": counters.num_draft_tokens - counters.num_accepted_tokens,
            "acceptance_rate": counters.acceptance_rate,
            "acceptance_by_position": self.acceptance_by_position,
            "host_seconds": self.host_seconds,
        }
