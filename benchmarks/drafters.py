"""How good are the rules for choosing a draft? All of them on the same recorded requests, through one replay.

    python -m benchmarks.drafters [TRACES...] [--ablation] [--trees] [--limit 20] [--loops] [--json]

The speed-up is modelled: tokens per pass, times the cost of a pass of plain decoding among N requests, over the cost
of one with drafts, by a published fit (`ngramspec.decoding.FITS`). A rule with a fixed setting is replayed once; ours
for each N, as by `ngramspec replay --cost h100-8b --batch N`: through one drafter, with the segment named.

A second table adds this machine's host time to each pass: for each row the CPU time of drafting, measured while the
rule is replayed, and of the loop, measured once in the run on a network of one small layer
(`ngramspec.testing.loop_time`). Nothing is added to plain decoding, host work does not overlap with the device's, and
drafts are as long as pays without that time. So it is a lower bound.

µs per token is CPU time of drafting, without the prompt's indexing: on a busy machine, wall time measures other
processes, too. It is shown if the drafter is the project's own code; transformers' and vLLM's rules run here on a
dictionary of ours, whose time says nothing about theirs.

All recordings take about ten minutes; the ablation, with 40 more replays, some forty minutes on top.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import reliability
from benchmarks.ablations import ABLATIONS, OF_TREES, WITH_TREES, Ablation, check_core, spelled_alike
from benchmarks.console import wide_console
from benchmarks.drafter_tables import ablations_table, hosted_table, rules_table, segments_table
from benchmarks.results import Result, played
from benchmarks.rules import BATCHES, OURS, PEERS
from benchmarks.traces import parser, trace_paths
from ngramspec.replay import Tokenizer, Trace, load_tokenizer, read_traces


def main() -> None:
    """Replay, then print."""
    command_line = parser(__doc__)
    command_line.add_argument("--ablation", action="store_true", help="also ours with one idea switched off at a time")
    command_line.add_argument("--trees", action="store_true", help="also drafts that branch, ours and a peer's")
    command_line.add_argument("--limit", type=int, help="only the first so many requests of each segment")
    command_line.add_argument(
        "--loops", action="store_true", help="the repetition loops, which are left out else, alone"
    )
    arguments = command_line.parse_args()
    if arguments.ablation:
        check_core()
    paths = trace_paths(command_line, arguments.traces)

    tokenizer = load_tokenizer(arguments.tokenizer)
    traces = list(_read(paths, tokenizer, arguments.limit))
    if arguments.loops:
        traces = [replace(trace, degenerate_loop=False) for trace in traces if trace.degenerate_loop]
    ablations = [*ABLATIONS, spelled_alike(tokenizer.vocabulary.tokens)] if arguments.ablation else []
    ablations += WITH_TREES if arguments.trees else ()
    ablations += OF_TREES if arguments.trees and arguments.ablation else ()
    ours, *results = played([OURS, *PEERS, *(ablation.rule for ablation in ablations)], traces)
    others, ablated = results[: len(PEERS)], results[len(PEERS) :]
    if arguments.json:
        print(json.dumps(_as_dict(ours, others, ablated), indent=2))
    else:
        _print(ours, others, ablations, ablated)


def _read(paths: list[Path], tokenizer: Tokenizer, limit: int | None) -> Iterator[Trace]:
    seen: Counter[str | None] = Counter()
    for path in paths:
        for trace in read_traces(path, tokenizer):
            if limit is None or seen[trace.segment] < limit:
                seen[trace.segment] += 1
                yield trace


def _as_dict(ours: Result, others: Sequence[Result], ablated: Sequence[Result]) -> dict[str, object]:
    return {
        "rules": {result.rule.name: result.as_dict() for result in (ours, *others)},
        "ablations": {result.rule.name: result.as_dict() for result in ablated},
        "reliability": {batch: reliability.as_dicts(found) for batch, found in ours.deciles.items()},
    }


def _print(ours: Result, others: Sequence[Result], ablations: Sequence[Ablation], ablated: Sequence[Result]) -> None:
    console = wide_console()
    report = ours.reports[BATCHES[0]]
    console.print(
        f"{report.total.counters.requests} requests, {report.total.counters.tokens} tokens after the first,"
        f" {len(report.segments)} segments; {report.num_degenerate_loops} repetition loops left out."
    )
    console.print(rules_table(ours, others))
    console.print(hosted_table(ours, [*others, *(result for result in ablated if result.rule.timed)]))
    console.print(segments_table(ours, others))
    if ablated:
        known = {result.rule.name: result for result in (ours, *others, *ablated)}
        console.print(ablations_table(ablations, ablated, known))
    for batch, found in ours.deciles.items():
        console.print(reliability.table(found, batch))
        console.print(f"N = {batch}: {reliability.verdict(found)}.\n")


if __name__ == "__main__":
    main()
