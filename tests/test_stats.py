"""Counters add up, by segment and across threads."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.stats import MAX_SEGMENTS, OTHER, BySegment, Counters, GuardOutcome, Stats, Undrafted

passes = st.lists(
    st.integers(0, 8).flatmap(
        lambda drafted: st.integers(0, drafted).map(lambda accepted: (accepted + 1, drafted, accepted))
    ),
    max_size=20,
)


def counters_of(recorded: list[tuple[int, int, int]]) -> Counters:
    counters = Counters(requests=1)
    for num_tokens, num_drafted, num_accepted in recorded:
        counters.record_pass(num_tokens, num_drafted, num_accepted)
    return counters


@given(earlier=passes, later=passes)
def test_counts_since_an_earlier_copy_are_a_difference(
    earlier: list[tuple[int, int, int]], later: list[tuple[int, int, int]]
) -> None:
    before, after = counters_of(earlier), counters_of(later)
    both = counters_of(earlier)
    both.add(after)
    assert after == both.since(before)


@given(recorded=passes)
def test_counters_are_the_sums_over_passes(recorded: list[tuple[int, int, int]]) -> None:
    counters = counters_of(recorded)
    assert len(recorded) == counters.target_passes
    assert sum(tokens for tokens, _, _ in recorded) == counters.tokens
    assert sum(drafted > 0 for _, drafted, _ in recorded) == counters.num_drafts
    assert sum(drafted for _, drafted, _ in recorded) == counters.num_draft_tokens
    assert sum(accepted for _, _, accepted in recorded) == counters.num_accepted_tokens
    expected = [sum(accepted > position for _, _, accepted in recorded) for position in range(8)]
    actual = counters.num_accepted_tokens_per_pos
    assert expected == actual + [0] * (8 - len(actual))


@given(first=passes, second=passes)
def test_adding_counters_counts_the_passes_of_both(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]]
) -> None:
    both = counters_of(first)
    both.add(counters_of(second))
    expected = counters_of(first + second)
    expected.requests = 2
    assert expected == both


def test_rates_are_zero_before_anything_happened() -> None:
    assert (0.0, 0.0) == (Counters().acceptance_rate, Counters().tokens_per_pass)


def test_rates_are_ratios_of_the_counters() -> None:
    counters = counters_of([(3, 4, 2), (1, 0, 0)])
    assert (0.5, 2.0) == (counters.acceptance_rate, counters.tokens_per_pass)


def test_a_request_without_a_segment_counts_in_the_total_alone() -> None:
    stats = Stats()
    stats.add(counters_of([(3, 4, 2)]), "invoices")
    stats.add(counters_of([(1, 0, 0)]))
    assert (2, 4) == (stats.total.requests, stats.total.tokens)
    assert ["invoices"] == [name for name, _ in stats]
    assert 3 == stats.segments["invoices"].tokens


def test_stats_returns_copies() -> None:
    stats = Stats()
    stats.add(counters_of([(3, 4, 2)]), "invoices")
    stats.total.tokens = 0
    stats.segments["invoices"].num_accepted_tokens_per_pos.clear()
    assert 3 == stats.total.tokens
    assert [1, 1] == stats.segments["invoices"].num_accepted_tokens_per_pos


def test_many_threads_may_add() -> None:
    stats = Stats()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: stats.add(counters_of([(3, 4, 2)]), f"segment {number % 3}"), range(300)))
    assert (300, 900) == (stats.total.requests, stats.total.tokens)
    assert [100, 100, 100] == [counters.requests for _, counters in stats]


def test_stats_read_as_one_line_and_one_per_segment() -> None:
    stats = Stats()
    stats.add(counters_of([(3, 4, 2), (1, 0, 0)]), "invoices")
    line = (
        "1 requests, 4 tokens in 2 target passes: 2.00 tokens per pass, acceptance rate 0.50 (2 of 4 draft tokens);"
        " passes without drafts: no match 1"
    )
    assert f"{line}\n  invoices: {line}" == str(stats)


def test_the_most_frequent_reason_for_no_draft_is_named_first() -> None:
    counters = Counters()
    for reason, count in ((Undrafted.NO_PRICE, 1), (Undrafted.TOO_DEAR, 3), (Undrafted.NO_MATCH, 2)):
        for _ in range(count):
            counters.record_pass(1, 0, 0, reason)
    assert str(counters).endswith("; passes without drafts: too dear 3, no match 2, no price 1")
    assert "passes without drafts" not in str(counters_of([(3, 4, 2)]))


@given(recorded=passes, reasons=st.lists(st.sampled_from(Undrafted), min_size=20, max_size=20))
def test_any_passes_without_drafts_are_the_sum_of_their_reasons(
    recorded: list[tuple[int, int, int]], reasons: list[Undrafted]
) -> None:
    both = Counters()
    for (num_tokens, num_drafted, num_accepted), reason in zip(recorded, reasons, strict=False):
        counters = Counters()
        counters.record_pass(num_tokens, num_drafted, num_accepted, reason)
        both.add(counters)
    assert both.target_passes - both.num_drafts == sum(both.num_undrafted_per_reason.values())


def test_stats_are_json() -> None:
    stats = Stats()
    stats.add(counters_of([(3, 4, 2), (1, 0, 0)]), "invoices")
    expected = {
        "requests": 1,
        "tokens": 4,
        "target_passes": 2,
        "num_drafts": 1,
        "num_draft_tokens": 4,
        "num_accepted_tokens": 2,
        "num_accepted_tokens_per_pos": [1, 1],
        "num_undrafted_per_reason": {"no_match": 1},
        "num_shortened_drafts": 0,
        "num_guarded_per_outcome": {},
        "drafting_seconds": 0.0,
        "steering_seconds": 0.0,
        "masking_seconds": 0.0,
        "verifying_seconds": 0.0,
        "acceptance_rate": 0.5,
        "tokens_per_pass": 2.0,
    }
    assert {"total": expected, "segments": {"invoices": expected}} == json.loads(json.dumps(stats.as_dict()))


def any_counters(number: int) -> Counters:
    """Of which each counter has a value of its own."""
    counters = counters_of([(3, 4, 2), (1, 0, 0), (2, 1, 1)])
    for index, each in enumerate(fields(Counters), start=2):
        value = getattr(counters, each.name)
        if isinstance(value, int | float):
            setattr(counters, each.name, value + number**index)
    counters.num_guarded_per_outcome = {GuardOutcome.COMPLETE: number, GuardOutcome.FAILED: 1}
    return counters


def test_every_counter_is_added_copied_subtracted_and_told() -> None:
    first, second = any_counters(3), any_counters(5)
    both = first.copy()
    both.add(second)
    assert asdict(second) == asdict(both.since(first))
    assert asdict(first) == asdict(first.copy())
    for name, told in both.as_dict().items():
        if isinstance(told, int | float) and name not in ("acceptance_rate", "tokens_per_pass"):
            assert getattr(first, name) + getattr(second, name) == told > getattr(first, name)
    assert {"complete": 8, "failed": 2} == both.as_dict()["num_guarded_per_outcome"]


def test_counts_are_equal_whatever_time_they_took() -> None:
    assert Counters(tokens=3, verifying_seconds=1.0) == Counters(tokens=3, drafting_seconds=2.0)
    assert Counters(num_shortened_drafts=1) != Counters()


def test_requests_without_a_segment_and_those_with_one_are_the_total() -> None:
    stats = Stats()
    for name in (None, "invoices", None, "orders"):
        stats.add(counters_of([(3, 4, 2)]), name)
    both = stats.unnamed
    for _, counters in stats:
        both.add(counters)
    assert 2 == stats.unnamed.requests
    assert stats.total == both


def test_a_listener_is_told_of_each_request_with_a_segment() -> None:
    told: list[tuple[int, str, int | None]] = []
    stats = Stats(lambda counters, segment, template: told.append((counters.tokens, segment, template)))
    stats.add(Counters(tokens=1))
    stats.add(Counters(tokens=2), "invoices")
    stats.add(Counters(tokens=3), "invoices", 7)
    assert [(2, "invoices", None), (3, "invoices", 7)] == told


def test_the_repr_of_stats_shows_all_counts() -> None:
    stats = Stats()
    stats.add(counters_of([(1, 0, 0)]), "invoices")
    assert f"Stats(total={stats.total!r}, segments={{'invoices': {stats.total!r}}})" == repr(stats)


@given(
    added=st.lists(st.tuples(st.sampled_from("abcdefg") | st.just(OTHER), st.integers(1, 9)), max_size=40),
    most=st.integers(1, 5),
)
def test_of_many_segments_the_least_recently_used_are_counted_together_and_sums_stay_exact(
    added: list[tuple[str, int]], most: int
) -> None:
    sums, oracle, used = BySegment(Counters, most), dict[str, int](), list[str]()
    for name, tokens in added:
        sums.add(Counters(tokens=tokens), name)
        oracle[name] = oracle.get(name, 0) + tokens
        used = [*(other for other in used if other != name), name]
        while len(used) > most:
            least = next(other for other in used if other != OTHER)
            used.remove(least)
            used = used if OTHER in used else [*used, OTHER]
            oracle[OTHER] = oracle.get(OTHER, 0) + oracle.pop(least)
    assert oracle == {name: counters.tokens for name, counters in sums.sums.items()}
    assert len(sums.sums) <= most
    assert sum(tokens for _, tokens in added) == sum(counters.tokens for counters in sums.sums.values())


def test_stats_keep_a_bounded_number_of_names() -> None:
    stats = Stats()
    for number in range(3 * MAX_SEGMENTS):
        stats.add(Counters(requests=1, tokens=2), f"tenant {number}")
    kept = stats.segments
    assert MAX_SEGMENTS == len(kept)
    assert (3 * MAX_SEGMENTS, 6 * MAX_SEGMENTS) == (stats.total.requests, stats.total.tokens)
    assert 2 * MAX_SEGMENTS + 1 == kept[OTHER].requests
    assert f"tenant {3 * MAX_SEGMENTS - 1}" in kept


def test_names_of_segments_are_shown_without_control_characters() -> None:
    stats = Stats()
    stats.add(Counters(requests=1), "\x1b]0;title\x07[red]\n\u202e")
    assert str(stats).splitlines()[1].startswith("  \\x1b]0;title\\x07[red]\\n\\u202e: 1 requests")
