"""The engine on a virtual clock: no request is lost, time runs forward, and formulas hold where they apply."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.decoding import (
    DraftingPrices,
    Engine,
    FixedBudget,
    HostPrices,
    LinearCosts,
    MeasuredCosts,
    PassPrices,
    Shape,
)
from ngramspec.drafting import AdaptiveLookup, NoDrafts
from ngramspec.guards import Guard, Vocabulary
from ngramspec.replay import Trace
from ngramspec.simulate import (
    OFF,
    Arm,
    Arrivals,
    ClosedLoop,
    Machine,
    OpenLoop,
    RecordedRow,
    RecordedTarget,
    Run,
    Service,
    VirtualClock,
    poisson,
)
from ngramspec.stats import Undrafted
from tests.simulate.drafters import TOKEN, Anything, Knows
from tests.simulate.plain_service import plain_times

Sizes = list[tuple[int, int]]
SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=12)
PRICE = st.floats(0.001, 1.0)
PASSES = st.builds(PassPrices, PRICE, PRICE, PRICE, PRICE, PRICE, st.booleans())
HOST = st.builds(HostPrices, PRICE, PRICE, st.builds(DraftingPrices, PRICE, PRICE, PRICE, PRICE))
MACHINES = st.builds(Machine, PASSES, st.just(HostPrices()), st.integers(1, 5), st.integers(1, 5))


def requests(sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Trace]:
    """Texts of three tokens, so that they repeat themselves."""
    drawn = np.random.default_rng(seed)
    texts = [[drawn.integers(0, 3, size, np.int32) for size in each] for each in sizes]
    return [Trace(prompt, output, "a") for prompt, output in texts]


@st.composite
def loads(draw: st.DrawFn, num_requests: int) -> Arrivals:
    if draw(st.booleans()):
        return ClosedLoop(num_requests, draw(st.integers(1, 6)))
    times = st.lists(st.floats(0.0, 20.0), min_size=num_requests, max_size=num_requests)
    return OpenLoop(draw(times))


@given(st.data(), SIZES, MACHINES, st.sampled_from([Knows, Anything, AdaptiveLookup, NoDrafts]), HOST)
def test_no_request_is_lost_and_time_runs_forward(
    data: st.DataObject, sizes: Sizes, machine: Machine, drafter: type, host: HostPrices
) -> None:
    run = Service(machine, Arm(drafter, host=host)).run(requests(sizes), data.draw(loads(len(sizes))))
    assert [length for _, length in sizes] == [each.counters.tokens for each in run.served]
    for each in run.served:
        assert each.arrival <= each.joined < each.first <= each.end
    assert max(each.end for each in run.served) - min(each.arrival for each in run.served) == run.seconds


@given(st.data(), SIZES, MACHINES)
def test_without_drafts_the_engine_does_what_counting_passes_by_hand_says(
    data: st.DataObject, sizes: Sizes, machine: Machine
) -> None:
    arrivals = data.draw(loads(len(sizes)))
    twin = copy.deepcopy(arrivals)
    run = Service(machine, OFF).run(requests(sizes), arrivals)
    expected = plain_times(sizes, machine, twin)
    for plain, served in zip(expected, run.served, strict=True):
        assert (plain.arrival, plain.first, plain.end) == pytest.approx((served.arrival, served.first, served.end))


@given(st.data(), SIZES, MACHINES)
def test_both_arms_are_equal_where_nothing_is_drafted_and_drafting_takes_no_time(
    data: st.DataObject, sizes: Sizes, machine: Machine
) -> None:
    arrivals = data.draw(loads(len(sizes)))
    on, off = (
        Service(machine, arm).run(requests(sizes), load)
        for arm, load in ((Arm(NoDrafts), arrivals), (OFF, copy.deepcopy(arrivals)))
    )
    assert _times(off) == _times(on)


def _times(run: Run) -> list[tuple[float, ...]]:
    return [(each.arrival, each.joined, each.first, each.end) for each in run.served]


@given(SIZES, PASSES)
def test_one_at_a_time_plain_decoding_takes_what_the_formula_says(sizes: Sizes, passes: PassPrices) -> None:
    run = Service(Machine(passes), OFF).run(requests(sizes), ClosedLoop(len(sizes), 1))
    for (given_prompt, length), each in zip(sizes, run.served, strict=True):
        prompt = max(given_prompt, 1)
        first = passes.seconds(Shape(1, prompt, prompt, 0))
        more = sum(passes.seconds(Shape(1, 1, 1, prompt + done)) for done in range(length - 1))
        assert (first, first + more) == pytest.approx((each.seconds_to_first, each.latency))


@given(st.integers(1, 60), st.integers(0, 8), st.integers(1, 20), HOST)
def test_one_at_a_time_known_text_takes_what_the_formula_says(
    length: int, drafted: int, prompt: int, host: HostPrices
) -> None:
    trace = Trace(np.full(prompt, TOKEN, np.int32), np.full(length, TOKEN, np.int32))
    machine = Machine(PassPrices(base=1.0), host)
    (each,) = Service(machine, Arm(Knows, lambda: FixedBudget(drafted))).run([trace], ClosedLoop(1, 1)).served
    passes = math.ceil(length / (drafted + 1))
    last = length - (passes - 1) * (drafted + 1) - 1
    drafting = [host.blind.seconds(1, size, size) for size in [drafted] * (passes - 1) + [last]]
    loop = host.loop_of_pass + host.loop_of_row
    assert passes * (1.0 + loop) + sum(drafting) == pytest.approx(each.latency)
    assert sum(drafting) == pytest.approx(each.host_seconds)
    assert (passes, length - passes) == (each.counters.target_passes, each.counters.num_accepted_tokens)


@settings(max_examples=25)
@given(SIZES, st.integers(0, 9), st.integers(0, 12))
def test_rows_emit_what_was_recorded_whatever_is_drafted(sizes: Sizes, seed: int, drafted: int) -> None:
    clock = VirtualClock()
    target, drafter = RecordedTarget(Machine(PassPrices(1.0)), clock), Anything(seed)
    engine = Engine(FixedBudget(drafted), LinearCosts(1.0, 0.0), clock)
    rows = [
        RecordedRow(drafter.open(), trace.prompt.tolist() or [0], trace.output.size, output=trace.output.tolist())
        for trace in requests(sizes, seed)
    ]
    for row in rows:
        engine.add([row], target, target)
    while engine.rows:
        engine.step()
    assert [row.output for row in rows] == [row.emitted for row in rows]


def test_drafts_are_accepted_and_rolled_back() -> None:
    run = Service(Machine(PassPrices(1.0, of_token=0.01)), Arm(AdaptiveLookup)).run(
        requests([(50, 50)] * 20), ClosedLoop(20, 4)
    )
    drafted = sum(each.counters.num_draft_tokens for each in run.served)
    assert 0 < sum(each.counters.num_accepted_tokens for each in run.served) < drafted
    assert drafted == run.reliability.counts.sum()


def test_the_budget_reads_the_same_clock_and_stops_where_a_token_costs_a_pass() -> None:
    cheap, dear = (
        Service(Machine(PassPrices(0.01, of_token=price)), Arm(AdaptiveLookup)).run(
            requests([(60, 200)] * 12), ClosedLoop(12, 2)
        )
        for price in (1e-5, 1.0)
    )
    drafted = [sum(each.counters.num_draft_tokens for each in run.served) for run in (cheap, dear)]
    assert 0 < 20 * drafted[1] < drafted[0]
    too_dear = sum(each.counters.num_undrafted_per_reason.get(Undrafted.TOO_DEAR, 0) for each in dear.served)
    assert too_dear > 1000


def test_rows_under_a_guard_are_steered_and_steering_takes_its_own_time() -> None:
    guard = Guard.regex('("name": "[a-z]*", )*"end"', Vocabulary([bytes([byte]) for byte in range(256)]))
    output = np.frombuffer(b'"name": "ab", "name": "c", "name": "def", "end"', np.uint8).astype(np.int32)
    trace = Trace(np.array([65, 66], np.int32), output, guard=guard)
    steered, free = DraftingPrices(of_row=1e-3), DraftingPrices(of_row=1.0)
    machine = Machine(PassPrices(1.0), HostPrices(blind=free, steered=steered))
    (each,) = Service(machine, Arm(AdaptiveLookup, lambda: FixedBudget(8))).run([trace], ClosedLoop(1, 1)).served
    passes = each.counters.target_passes
    assert output.size == each.counters.tokens
    assert passes < output.size / 2
    assert 1e-3 * passes == pytest.approx(each.host_seconds)


@given(st.integers(1, 9), st.integers(1, 4), PRICE)
def test_each_request_takes_its_time_with_and_without_drafts(number: int, clients: int, price: float) -> None:
    free, priced = (Machine(PassPrices(1.0), HostPrices(of_request=each)) for each in (0.0, price))
    for arm in (OFF, Arm(AdaptiveLookup, lambda: FixedBudget(4))):
        without, with_it = (
            Service(each, arm).run(requests([(3, 5)] * number), ClosedLoop(number, clients)) for each in (free, priced)
        )
        assert without.seconds + number * price == pytest.approx(with_it.seconds)


def test_a_budget_begins_with_the_table_of_its_machine() -> None:
    passes, known = PassPrices(0.01, of_token=1e-5), MeasuredCosts()
    for columns in (1, 2, 5, 17) * 8:
        shape = Shape(1, columns, columns, 64)
        known.record(shape, passes.seconds(shape), columns)

    def num_without_price(machine: Machine) -> int:
        served = Service(machine, Arm(AdaptiveLookup)).run(requests([(60, 40)] * 3), ClosedLoop(3, 1)).served
        return sum(each.counters.num_undrafted_per_reason.get(Undrafted.NO_PRICE, 0) for each in served)

    assert 0 == num_without_price(Machine(passes, table=known.state())) < num_without_price(Machine(passes))


def test_a_run_is_the_same_each_time() -> None:
    machine = Machine(PassPrices(0.01, of_token=1e-4), HostPrices(blind=DraftingPrices(of_row=1e-5)))
    runs = [Service(machine, Arm(AdaptiveLookup)).run(requests([(60, 40)] * 12), ClosedLoop(12, 3)) for _ in range(2)]
    assert _times(runs[0]) == _times(runs[1])


def test_a_clock_never_runs_backwards() -> None:
    clock = VirtualClock()
    clock.advance(1.5)
    for wrong in (-1e-9, math.inf, math.nan):
        with pytest.raises(ValueError, match="must advance by a finite number of seconds >= 0"):
            clock.advance(wrong)
    clock.wait_until(1.0)
    assert clock() == 1.5
    clock.wait_until(2.0)
    assert clock() == 2.0


@given(st.floats(0.1, 100.0), st.integers(0, 2**32 - 1))
def test_poissons_requests_come_at_their_rate(rate: float, seed: int) -> None:
    times = poisson(4000, rate, seed)
    assert times == sorted(times)
    assert times[-1] * rate == pytest.approx(4000, rel=0.15)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_is_finite_and_above_0(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be a finite number of requests per second > 0"):
        poisson(3, rate)


def test_loads_and_prices_must_make_sense() -> None:
    with pytest.raises(ValueError, match="concurrency must be a whole number >= 1, got 0"):
        ClosedLoop(3, 0)
    with pytest.raises(ValueError, match=r"a finite time >= 0, got -1\.0 seconds"):
        OpenLoop([1.0, -1.0])
    with pytest.raises(ValueError, match="a finite number of seconds >= 0, got of_row=nan"):
        PassPrices(1.0, of_row=math.nan)
    with pytest.raises(ValueError, match="a pass must cost more than 0 seconds"):
        PassPrices(of_pair=1.0)


@given(st.integers(1, 9), st.sampled_from([1, 3]), PRICE, PRICE)
def test_passes_wait_for_the_masks_of_guarded_rows_with_and_without_drafts(
    number: int, clients: int, of_row: float, of_token: float
) -> None:
    guard = Guard.regex("[a-z]*", Vocabulary([bytes([byte]) for byte in range(256)]))
    output = np.full(number, ord("a"), np.int32)
    traces = [Trace(np.array([65], np.int32), output, guard=each) for each in (guard, None)]
    free, priced = (
        Machine(PassPrices(1.0), HostPrices(masks=masks))
        for masks in (DraftingPrices(), DraftingPrices(of_row=of_row, of_token=of_token))
    )
    for arm in (OFF, Arm(AdaptiveLookup, lambda: FixedBudget(4))):
        without, with_masks = (Service(each, arm).run(traces, ClosedLoop(2, clients)) for each in (free, priced))
        counters = without.served[0].counters
        waited = of_row * counters.target_passes + of_token * counters.num_draft_tokens
        assert without.seconds + waited == pytest.approx(with_masks.seconds)
