"""How far do the rules for choosing a draft carry? All of them on the same recorded requests, through one replay.

    python -m benchmarks.drafters [TRACES...] [--limit 20] [--loops] [--json]

µs per token is CPU time of drafting, the prompt's indexing left out: on a busy machine, a clock on the wall measures
the neighbours. It is shown where the drafter is the project's own code; transformers' and vLLM's rules run here on a
dictionary of ours, whose time says nothing about theirs.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.peers import EarliestMatch, SuffixTree
from benchmarks.traces import parser, trace_paths
from ngramspec.drafting import Draft, Drafter, PromptLookup, PromptLookupSession, TokenArray
from ngramspec.replay import Report, SegmentReport, Trace, load_tokenizer, read_traces, replay


class WithoutPeriod(PromptLookup):
    """Prompt lookup whose copies end where the text ends: what does it bring to let them go on?"""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> PromptLookupSession:
        """Start a row."""
        return _WithoutPeriodSession(references)


class _WithoutPeriodSession(PromptLookupSession):
    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        draft = super().propose(max_tokens)
        available = len(self.index) - self.index.latest_longest_match().start
        return replace(draft, tokens=draft.tokens[:available])


@dataclass(frozen=True, slots=True)
class Rule:
    """A drafter, the longest draft that its project asks of it, and whether its time is its own."""

    name: str
    settings: str
    drafter: Callable[[], Drafter]
    max_draft_tokens: int
    timed: bool = False


RULES = (
    Rule("ngramspec", "latest longest, n >= 1, K = 10", PromptLookup, 10, timed=True),
    Rule("transformers", "earliest, n = 2..1, K = 10", lambda: EarliestMatch(min_match=1, max_match=2), 10),
    Rule("vLLM 5", "ngram default: earliest, n = 5, K = 5", lambda: EarliestMatch(min_match=5, max_match=5), 5),
    Rule("vLLM 2-4", "ngram: earliest, n = 4..2, K = 5", lambda: EarliestMatch(min_match=2, max_match=4), 5),
    Rule("arctic", "suffix tree, factor 1, K = 10", lambda: SuffixTree(max_depth=64), 10, timed=True),
    Rule("arctic 24", "suffix tree as in vLLM, K = 24", lambda: SuffixTree(max_depth=24), 24, timed=True),
    Rule("ngramspec 24", "as above, K = 24", PromptLookup, 24, timed=True),
    # What two choices of ours bring: each row is ngramspec's rule without one of them.
    Rule("earliest", "earliest longest, n = 8..1, K = 10", lambda: EarliestMatch(min_match=1, max_match=8), 10),
    Rule("no period", "as ngramspec; a copy ends with the text", WithoutPeriod, 10),
)


def main() -> None:
    """Replay, then print."""
    command_line = parser(__doc__)
    command_line.add_argument("--limit", type=int, help="only the first so many requests of each segment")
    command_line.add_argument(
        "--loops", action="store_true", help="the repetition loops, which are left out else, alone"
    )
    arguments = command_line.parse_args()
    paths = trace_paths(command_line, arguments.traces)

    traces = list(_read(paths, arguments.tokenizer, arguments.limit))
    if arguments.loops:
        traces = [replace(trace, degenerate_loop=False) for trace in traces if trace.degenerate_loop]
    reports: dict[Rule, Report | None] = {}
    for rule in track(RULES, "Replaying", console=Console(stderr=True), transient=True):
        try:
            reports[rule] = _replay(rule, traces)
        except ImportError:
            reports[rule] = None
    if arguments.json:
        rules = {rule.name: {"rule": rule.settings} | _as_dict(rule, report) for rule, report in reports.items()}
        print(json.dumps(rules, indent=2))
    else:
        _print(reports)


def _read(paths: list[Path], tokenizer_name: str, limit: int | None) -> Iterator[Trace]:
    tokenizer = load_tokenizer(tokenizer_name)
    seen: Counter[str | None] = Counter()
    for path in paths:
        for trace in read_traces(path, tokenizer):
            if limit is None or seen[trace.segment] < limit:
                seen[trace.segment] += 1
                yield trace


def _replay(rule: Rule, traces: list[Trace]) -> Report:
    return replay(traces, rule.drafter(), max_draft_tokens=rule.max_draft_tokens, clock=time.thread_time_ns)


def _drafted_per_pass(report: SegmentReport) -> float:
    return report.counters.num_draft_tokens / max(report.counters.target_passes, 1)


def _mean_over_segments(report: Report) -> float:
    return fmean(segment.counters.tokens_per_pass for segment in report.segments.values())


def _as_dict(rule: Rule, report: Report | None) -> dict[str, object]:
    if report is None:
        return {"error": "not installed"}
    figures = {name: _figures(rule, segment) for name, segment in report.segments.items()}
    return {"total": _figures(rule, report.total), "segments": figures}


def _figures(rule: Rule, report: SegmentReport) -> dict[str, int | float]:
    figures = report.as_dict() | {"drafted_per_pass": _drafted_per_pass(report)}
    timings = () if rule.timed else ("us_per_token", "us_per_prompt_token")
    return {key: value for key, value in figures.items() if key not in timings}


def _print(reports: dict[Rule, Report | None]) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 150  # a pipe has no width, and a table that wraps cannot be read or cut
    done = {rule: report for rule, report in reports.items() if report is not None}
    ours = next(iter(done.values()))
    tokens = ours.total.counters.tokens
    console.print(
        f"{ours.total.counters.requests} requests, {tokens} tokens behind the first, {len(ours.segments)} segments;"
        f" {ours.num_degenerate_loops} repetition loops left out."
    )

    totals = Table("drafter", "rule", box=SIMPLE_HEAD, pad_edge=False)
    columns = ("tokens per pass", "mean over segments", "drafted per pass", "acceptance rate", "µs per token")
    for column in columns:
        totals.add_column(column, justify="right")
    for rule, report in reports.items():
        if report is None:
            totals.add_row(rule.name, rule.settings, "not installed")
            continue
        counters = report.total.counters
        totals.add_row(
            rule.name,
            rule.settings,
            f"{counters.tokens_per_pass:.3f}",
            f"{_mean_over_segments(report):.3f}",
            f"{_drafted_per_pass(report.total):.2f}",
            f"{counters.acceptance_rate:.3f}",
            f"{report.total.drafting_ns / 1e3 / max(counters.tokens, 1):.1f}" if rule.timed else "-",
        )
    console.print(totals)

    by_segment = Table("tokens per pass by segment", box=SIMPLE_HEAD, pad_edge=False)
    for rule in done:
        by_segment.add_column(rule.name, justify="right")
    for name in sorted(ours.segments):
        figures = [report.segments[name].counters.tokens_per_pass for report in done.values()]
        by_segment.add_row(name, *(f"{figure:.2f}" for figure in figures))
    console.print(by_segment)


if __name__ == "__main__":
    main()
