"""Never slower than plain decoding, on machines with given prices, without a clock."""

import numpy as np
import pytest

from benchmarks.simulation import MACHINES, SERVERS, Machine, Simulation, Threshold
from ngramspec.guards import Guard
from ngramspec.replay import Trace
from tests.guards.vocabularies import BYTES

GPU = Machine("GPU", {1: 7.1, 16: 7.4}, {1: {1: 1, 97: 1.2}, 16: {1: 1, 97: 6}})


def requests(kind: str, number: int, seed: int = 0) -> list[Trace]:
    """novel: nothing repeats. misleading: what repeats goes on otherwise. copies: most is copied from the prompt."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        prompt, output = (random.integers(5, 30_000, size).astype(np.int32) for size in (300, 100))
        if kind == "misleading":
            pieces = random.integers(0, 290, 50)
            output[0::2], output[1::2] = prompt[pieces], output[1::2]
        if kind == "copies":
            for start in range(0, 100, 20):
                index = int(random.integers(0, 280))
                output[start : start + 18] = prompt[index : index + 18]
        made.append(Trace(prompt, output))
    return made


def batches(traces: list[Trace], batch: int) -> list[list[Trace]]:
    return [traces[start : start + batch] for start in range(0, len(traces), batch)]


@pytest.mark.parametrize("batch", [1, 4, 16])
@pytest.mark.parametrize("machine", [*MACHINES, GPU], ids=lambda machine: machine.name)
def test_text_that_cannot_be_foreseen_is_decoded_as_fast_as_without_drafts(machine: Machine, batch: int) -> None:
    for kind in ("novel", "misleading"):
        assert Simulation(machine).speedup(batches(requests(kind, 48), batch)) >= 0.97


@pytest.mark.parametrize(("batch", "least"), [(1, 1.5), (4, 1.4), (16, 1.05)])
@pytest.mark.parametrize("machine", [*MACHINES, GPU], ids=lambda machine: machine.name)
def test_copies_are_decoded_faster(machine: Machine, batch: int, least: float) -> None:
    assert Simulation(machine).speedup(batches(requests("copies", 48), batch)) >= least


def test_traffic_that_changes_is_followed_both_ways() -> None:
    service = Simulation(MACHINES[0])
    for kind, least in (("copies", 1.5), ("misleading", 0.97), ("copies", 1.5), ("novel", 0.97)):
        assert service.speedup(batches(requests(kind, 32, seed=len(kind)), 1)) >= least


@pytest.mark.parametrize("batch", [8, 32])
@pytest.mark.parametrize("machine", SERVERS, ids=lambda machine: machine.name)
def test_the_time_of_drafting_is_no_loss_once_it_was_measured(machine: Machine, batch: int) -> None:
    for kind in ("novel", "misleading"):
        service = Simulation(machine)
        first, second = (service.speedup(batches(requests(kind, 2 * batch, seed), batch)) for seed in range(2))
        assert first >= 0.94
        assert second >= 0.97


def forms(number: int) -> list[Trace]:
    """Answers under a schema: names that it foresees, and values that nothing does."""
    names = ["customer_identifier", "delivery_address", "comment"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    guard, random, made = Guard.json_schema(schema, BYTES, whitespace="compact"), np.random.default_rng(0), []
    for _ in range(number):
        values = [bytes(random.integers(97, 123, size).tolist()) for size in (10, 20, 60)]
        members = [b'"%s":"%s"' % (name.encode(), value) for name, value in zip(names, values, strict=True)]
        output = np.frombuffer(b"{" + b",".join(members) + b"}", np.uint8).astype(np.int32)
        made.append(Trace(random.integers(48, 58, 50).astype(np.int32), output, guard=guard))
    return made


@pytest.mark.parametrize(("drafting", "least"), [("quick", 1.15), ("slow", 0.97)])
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_rows_are_steered_where_it_pays_and_otherwise_not(layout: str, drafting: str, least: float) -> None:
    (machine,) = (each for each in SERVERS if each.name == f"H100, {layout}, {drafting} drafting")
    traffic, ours = batches(forms(32), 16), Simulation(machine)
    assert (Simulation(machine, budget=Threshold()).speedup(traffic) < 1.0) == (drafting == "slow")
    ours.speedup(traffic)  # while nothing is known it steers
    assert ours.speedup(traffic) >= least


def test_a_simulation_comes_out_the_same_every_time() -> None:
    traces = batches(requests("copies", 8), 4)
    assert Simulation(MACHINES[1]).speedup(traces) == Simulation(MACHINES[1]).speedup(traces)
