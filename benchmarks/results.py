"""The results of a rule: the replays' reports by batch size, and figures from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, TaskID

from benchmarks.reliability import Decile, Watched, deciles
from benchmarks.rules import BATCHES, FIT, OURS, Rule, replay
from ngramspec.decoding import fitted
from ngramspec.replay import Report, SegmentReport, Trace
from ngramspec.testing.loop_time import loop_time


@dataclass(slots=True)
class Result:
    """reports: by batch size; none if the rule needs a missing package. deciles: for ours, see `reliability`."""

    rule: Rule
    reports: dict[int, Report] = field(default_factory=dict)
    deciles: dict[int, list[Decile]] = field(default_factory=dict)

    def speedup(self, batch: int, segment: str | None = None) -> float:
        """The modelled speed-up over plain decoding, with `batch` requests at a time; for one segment, or for all."""
        report = self.reports[batch]
        return (report.total if segment is None else report.segments[segment]).modelled_speedup(fitted(FIT, batch))

    def speedup_with_host(self, batch: int) -> float:
        """The same for all requests, with this machine's host time in each pass."""
        return self.reports[batch].total.modelled_speedup(fitted(FIT, batch), loop_time())

    def as_dict(self) -> dict[str, object]:
        """The result for JSON."""
        if not self.reports:
            return {"error": "not installed"}
        by_batch = {
            batch: {
                "total": self._figures(report.total, batch),
                "segments": {name: self._figures(segment, batch) for name, segment in report.segments.items()},
            }
            for batch, report in self.reports.items()
        }
        return {"rule": self.rule.settings, "by_batch": by_batch}

    def _figures(self, report: SegmentReport, batch: int) -> dict[str, int | float]:
        figures = report.as_dict() | {
            "drafted_per_pass": drafted_per_pass(report),
            "modelled_speedup": report.modelled_speedup(fitted(FIT, batch)),
            "modelled_speedup_with_host": report.modelled_speedup(fitted(FIT, batch), loop_time()),
        }
        timings = ("us_per_token", "us_per_prompt_token", "modelled_speedup_with_host") if not self.rule.timed else ()
        return {key: value for key, value in figures.items() if key not in timings}


def drafted_per_pass(report: SegmentReport) -> float:
    """Tokens that were verified per pass, besides the one that each pass emits anyway."""
    return report.counters.num_draft_tokens / max(report.counters.target_passes, 1)


def played(rules: Sequence[Rule], traces: Sequence[Trace]) -> list[Result]:
    """Play back `traces` with each of `rules`, one after another, and show progress on stderr."""
    num_replays = sum(len(rule.batches) for rule in rules)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=num_replays * len(traces))
        return [_played(rule, traces, progress, task) for rule in rules]


def _played(rule: Rule, traces: Sequence[Trace], progress: Progress, task: TaskID) -> Result:
    result = Result(rule)
    for batch in rule.batches:
        progress.update(task, description=f"{rule.name}, {batch} at a time")
        try:
            drafter = rule.drafter()
        except ImportError:
            progress.advance(task, len(traces))
            return result
        if rule is OURS:
            drafter = watched = Watched(drafter)
        result.reports[batch] = replay(rule, drafter, _counted(traces, progress, task), batch)
        if rule is OURS:
            result.deciles[batch] = deciles(watched.checked)
    if len(rule.batches) == 1:  # it drafts the same in any batch
        result.reports = dict.fromkeys(BATCHES, result.reports[rule.batches[0]])
    return result


def _counted(traces: Sequence[Trace], progress: Progress, task: TaskID) -> Iterator[Trace]:
    for trace in traces:
        yield trace
        progress.advance(task)
