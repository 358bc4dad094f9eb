"""Measured answers as the figures, gains and verdicts of a simulation, so that both share one report."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ngramspec.bench.arms import OURS, PLAIN
from ngramspec.bench.turns import Answer, Request
from ngramspec.simulate import IN_A_BATCH, Figures, Gain, LoadResult, Pair, Quantiles, Simulation, by_segment, judged
from ngramspec.stats import Counters

SETTINGS, BASIS = "the defaults, with the segment named", "on this machine"


def measured(requests: Sequence[Request], found: Mapping[int, Mapping[str, Sequence[Answer]]]) -> Simulation:
    """The results of `requests`. found: by batch, in rising order, and by arm, the answers in their order."""
    groups = by_segment([each.segment for each in requests])
    results = []
    for batch, answers in found.items():
        segments = {name: _pair(answers, indices) for name, indices in groups.items()}
        results.append(LoadResult(batch, _pair(answers, range(len(requests))), segments))
    return judged(IN_A_BATCH, results, SETTINGS, BASIS)


def _pair(answers: Mapping[str, Sequence[Answer]], indices: Sequence[int]) -> Pair:
    """All arms on some of the requests."""
    chosen = {name: [all_of_arm[index] for index in indices] for name, all_of_arm in answers.items()}
    rows = Counter(each.call for each in answers[PLAIN])
    figures = {name: _figures(each, rows) for name, each in chosen.items()}
    same = {
        name: sum(one.tokens == other.tokens for one, other in zip(chosen[PLAIN], each, strict=True))
        for name, each in chosen.items()
        if name != PLAIN
    }
    others = {name: each for name, each in figures.items() if name not in (PLAIN, OURS)}
    gain = Gain.of(_of_calls(chosen[PLAIN]), _of_calls(chosen[OURS]))
    return Pair(figures[OURS], figures[PLAIN], gain, others, same)


def _of_calls(answers: Sequence[Answer]) -> list[float]:
    """Seconds of each call that made any of the answers: rows of one call end together, and are one observation."""
    return list({each.call: each.seconds for each in answers}.values())


def _figures(answers: Sequence[Answer], rows: Mapping[int, int]) -> Figures:
    """rows: of each call; they share its seconds."""
    counters = Counters()
    for each in answers:
        counters.add(each.counters)
    latencies = [each.seconds for each in answers]
    return Figures(
        requests=len(answers),
        seconds=sum(each.seconds / rows[each.call] for each in answers),
        latency_s=Quantiles.of(latencies),
        first_token_s=Quantiles.of([]),
        per_token_s=Quantiles.of([each.seconds / len(each.tokens) for each in answers]),
        mean_latency_s=sum(latencies) / len(latencies),
        host_seconds=0.0,
        counters=counters,
    )
