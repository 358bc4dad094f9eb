"""A calibration finds the prices of a machine, and budgets that load it start with them."""

import itertools
import json
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec import CostsError, Speculator
from ngramspec.calibration import calibrate, fitted_passes, model
from ngramspec.calibration.fitting import errors
from ngramspec.calibration.model import contexts_of, num_reports
from ngramspec.decoding import FITS, Clock, DraftingPrices, HostPrices, PassPrices, Plan, Reading, Shape
from ngramspec.decoding.calibration_file import Calibration, MeasuredPass, read_calibration
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import Draft
from ngramspec.guards import Vocabulary
from ngramspec.hf.engine.answer import Answer
from ngramspec.hf.engine.model_engine import ModelEngine
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.pico import load_pico
from ngramspec.simulate import VirtualClock
from tests.cli.conftest import (
    Command,
    run,  # noqa: F401 (a fixture)
)
from tests.hf.models import tiny

SIZES = (1, 3), (1, 2, 5), (8, 20)
SHAPES = [(rows, columns, context) for rows in (1, 4) for columns in (1, 2, 9, 40) for context in (0, 100, 3000)]
STEERING, MASKS = DraftingPrices(of_row=3e-4, of_token=1e-4), DraftingPrices(1e-3, 5e-4, 2e-4)
REQUEST = 3e-3
PRICE = st.just(0.0) | st.floats(1e-6, 1e-2)


def measured_by(prices: PassPrices) -> list[MeasuredPass]:
    return [
        MeasuredPass(*shape, prices.seconds(Shape(shape[0], shape[1], shape[0] * shape[1], shape[2])))
        for shape in SHAPES
    ]


@given(st.floats(1e-4, 1e-2), PRICE, PRICE, st.just(0.0) | st.floats(1e-8, 1e-5), st.just(0.0) | st.floats(1e-9, 1e-6))
def test_any_prices_are_found_again_from_passes_that_cost_them(
    base: float, of_row: float, of_token: float, of_cached: float, of_pair: float
) -> None:
    measured = measured_by(PassPrices(base, of_row, of_token, of_cached, of_pair, pads=True))
    found = fitted_passes(measured)
    assert [each.seconds for each in measured] == pytest.approx([found.seconds(each.shape) for each in measured])
    assert errors(found, measured)["worst"] < 1e-6


def test_a_fit_needs_a_pass() -> None:
    with pytest.raises(ValueError, match="needs at least one measured pass, got none"):
        fitted_passes([])


@given(st.lists(st.floats(1e-4, 1.0), min_size=len(SHAPES), max_size=len(SHAPES)))
def test_no_price_of_any_fit_is_below_0_and_none_of_one_price_is_better(seconds: Rows[float]) -> None:
    measured = [MeasuredPass(*shape, each) for shape, each in zip(SHAPES, seconds, strict=True)]
    found = fitted_passes(measured)
    assert off(found, measured) <= off(PassPrices(base=min(seconds), pads=True), measured) + 1e-9


def off(prices: PassPrices, measured: Rows[MeasuredPass]) -> float:
    return sum((prices.seconds(each.shape) / each.seconds - 1.0) ** 2 for each in measured)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> tuple[PassPrices, Clock]:
    """The tiny model's passes take what these prices say, by this clock."""
    prices, clock = PassPrices(1e-2, 1e-3, 2e-4, 1e-6, 0.0, pads=True), VirtualClock()
    read = RaggedTarget.read

    def timed(target: RaggedTarget, plans: Rows[Plan]) -> Reading:
        reading = read(target, plans)
        clock.advance(prices.seconds(reading.shape))
        sizes = [plan.draft.tokens.size for plan in plans if plan.row.matchers()]
        clock.advance(MASKS.seconds(len(sizes), sum(sizes), 0) if sizes else 0.0)
        return reading

    def steered(self: RowSteering, *arguments: Any) -> Draft:
        draft = drafted(self, *arguments)
        clock.advance(STEERING.seconds(1, draft.tokens.size, 0))
        return draft

    def added(engine: ModelEngine, *arguments: Any, **options: Any) -> Answer:
        clock.advance(REQUEST)
        return add(engine, *arguments, **options)

    drafted, add = RowSteering._within, ModelEngine.add  # chains and trees
    monkeypatch.setattr(ModelEngine, "add", added)
    monkeypatch.setattr(RowSteering, "_within", steered)
    monkeypatch.setattr(RaggedTarget, "read", timed)
    return prices, clock


def test_the_prices_of_a_machine_are_found_by_its_passes(machine: tuple[PassPrices, Clock]) -> None:
    prices, clock = machine
    told = []
    found = calibrate(tiny("llama"), "tiny", SIZES, progress=lambda: told.append(1), clock=clock)
    decoding = Shape(2, 4, 8, 50)
    assert prices.seconds(decoding) == pytest.approx(found.passes.seconds(decoding), rel=0.02)
    assert found.fit_error["worst"] < 0.05
    assert pytest.approx(REQUEST) == found.host.of_request
    assert HostPrices(of_request=found.host.of_request) == found.host
    assert num_reports(*SIZES) == len(told)
    decoded = {(each.rows, each.columns) for each in found.measured if each.context}
    assert {(rows, columns) for rows in (1, 3) for columns in (1, 2, 5)} == decoded


def test_what_guards_cost_is_found(machine: tuple[PassPrices, Clock]) -> None:
    _, clock = machine
    pico, tokenizer = load_pico()
    found = calibrate(pico, "pico", ((1, 3), (1, 2), (8,)), vocabulary=Vocabulary.of(tokenizer), clock=clock).host
    rows, tokens = found.masks.of_row, found.masks.of_token
    assert (MASKS.of_row, MASKS.of_token) == pytest.approx((rows, tokens), rel=0.1)  # contexts differ a little
    assert MASKS.of_pass == pytest.approx(found.masks.of_pass, rel=0.3)
    for number, drafted in ((1, 0), (3, 9), (8, 24)):
        assert STEERING.seconds(number, drafted, 0) == pytest.approx(
            found.steered.seconds(number, drafted, 0), rel=0.01
        )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibration, Path]:
    found = calibrate(tiny("llama"), "tiny", SIZES, clock=itertools.count(0.0, 0.25).__next__)
    path = tmp_path_factory.mktemp("calibrated") / "llama.json"
    found.write(path)
    return found, path


def test_a_calibration_is_read_as_it_was_written(written: tuple[Calibration, Path]) -> None:
    found, path = written
    assert found == read_calibration(path)
    assert found.host.loop_of_pass > 0.0
    assert {"ngramspec", "torch", "transformers", "python"} == set(found.versions)


def test_a_speculator_starts_with_what_was_calibrated(written: tuple[Calibration, Path]) -> None:
    _, path = written
    plain = Shape(1, 1, 1, 20)
    spec = Speculator(clock=itertools.count(0.0, 0.25).__next__)
    spec.load_costs(path)
    assert spec.costs.of(tiny("llama")).prices(plain, 1) is not None
    assert spec.costs.of(tiny("gpt2")).prices(plain, 1) is None


ODD = [None, True, -1, 1e999, float("nan"), "a", [], {}, [[1]], {"a": 1}, 10**30]


@given(st.data())
def test_any_forged_calibration_is_refused_by_name_or_read(
    written: tuple[Calibration, Path], data: st.DataObject
) -> None:
    content, path = json.loads(written[1].read_text()), written[1].with_name("forged.json")
    parent: Any = {"": content}
    key: Any = ""
    while isinstance(parent[key], dict | list) and parent[key] and data.draw(st.booleans() | st.just(key == "")):
        parent = parent[key]
        key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
    parent[key] = data.draw(st.sampled_from(ODD))
    path.write_text(json.dumps(content))
    error = ""
    try:
        read_calibration(path)
    except CostsError as raised:
        error = str(raised)
    assert not error or error.startswith("a calibration must be a file that `ngramspec calibrate` wrote, got ")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"kind": 1}', "[" * 100_000, "\xff"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(CostsError, match=r"got .*other\.json: .*; measure again, or name another file"):
        read_calibration(path)


def test_contexts_are_those_that_the_model_has_positions_for() -> None:
    assert [8] == contexts_of(tiny("gpt2"), (8, 10**9))
    assert [10**9] == contexts_of(tiny("gpt2"), (10**9,))


def test_the_command_writes_what_simulate_and_generate_read(
    run: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, values in (("BATCHES", (1, 2)), ("COLUMNS", (1, 3)), ("CONTEXTS", (8,))):
        monkeypatch.setattr(model, name, values)
    path = tmp_path / "pico.json"
    outcome = run("calibrate", "pico", "--output", path)
    assert outcome.code == 0, outcome.errors
    assert "a plain pass over" in outcome.output
    traces = tmp_path / "traces.jsonl"
    traces.write_text(json.dumps({"prompt_ids": [1, 2], "output_ids": [1, 2]}) + "\n")
    outcome = run("simulate", traces, "--cost", path, "--concurrency", "1")
    assert "by what passes of pico in float32 cost on" in outcome.output
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("ab")
    assert 0 == run("generate", "--prompt-file", prompt, "--costs", path, "--max-new-tokens", "2").code
    assert 2 == run("generate", "--prompt-file", prompt, "--costs", traces, "--max-new-tokens", "2").code
    refused = run("serve", "--costs", traces)
    assert refused.code == 2
    assert "a saved cost table" in refused.errors or "a calibration must be" in refused.errors


def test_published_fits_have_sources_and_prices() -> None:
    fit = FITS["h100-8b"]
    assert (7.09e-3, 21.01e-6) == (fit.passes.base, fit.passes.of_token)
    assert DraftingPrices() != fit.host.blind
    for each in FITS.values():
        assert each.source
        assert each.host_source
