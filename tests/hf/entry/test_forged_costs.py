"""A cost table with a correct digest and forged contents is refused by name, or loads and changes no text."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec import CostsError, Speculator
from ngramspec.hf.entry.cost_tables import fingerprint
from ngramspec.replay import read_costs
from tests.files.forging import COSTS, ODD, Parts, forge, forged, parts_of, written
from tests.hf.models import EOS, padded_prompts, tiny

CALL: dict[str, Any] = {"max_new_tokens": 10, "do_sample": False, "eos_token_id": EOS}


def clock() -> Any:
    """Of its own, so that it shares no measurement with others; a pass takes some seconds of it, all alike."""
    return itertools.count(0.0, 0.25).__next__


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    path = tmp_path_factory.mktemp("real") / "costs"
    spec = Speculator(clock=clock())
    for batch in (1, 1, 3, 1, 1):
        tiny("llama").generate(**padded_prompts(batch), **CALL, custom_generate=spec)
    spec.save_costs(path)
    parts = parts_of(path)
    assert [fingerprint(tiny("llama"))] == list(parts[0]["tables"])
    return parts


def check_that_it_works(path: Path, calls: int) -> None:
    spec = Speculator(clock=clock())
    spec.load_costs(path)
    for number in range(calls):
        prompts = padded_prompts(1 + number % 3)
        plain = tiny("llama").generate(**prompts, **CALL)
        assert torch.equal(plain, tiny("llama").generate(**prompts, **CALL, custom_generate=spec))
    spec.save_costs(path)
    Speculator(clock=clock()).load_costs(path)


def test_what_was_not_forged_works(tmp_path: Path, real: Parts) -> None:
    check_that_it_works(written(tmp_path / "costs", COSTS, real), calls=50)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_forged_table_is_refused_by_name_or_works(
    tmp_path_factory: pytest.TempPathFactory, real: Parts, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("forged") / "costs"
    parts, _ = data.draw(forged(real))
    written(path, COSTS, (parts[0], []))
    try:
        Speculator(clock=clock()).load_costs(path)
    except CostsError:
        with pytest.raises(CostsError) as caught:
            read_costs(str(path))
        assert len(str(caught.value)) < 2000
        assert str(caught.value).isprintable()
        return
    check_that_it_works(path, calls=3)


@pytest.mark.parametrize("number", range(40))
def test_a_number_of_any_size_in_any_place_is_refused_or_priced(tmp_path: Path, real: Parts, number: int) -> None:
    """Fifty calls after each number that is let through."""
    header = json.loads(json.dumps(real[0]))
    (table,) = header["tables"].values()
    numbers = [1e-12, 1e12, 1e-320, 3e-5, 65536, 0, *ODD]
    value = numbers[number % len(numbers)]
    if number % 4 == 0:
        table["alone"] = [[rows, size, [value] * len(times)] for rows, size, times in table["alone"]]
    elif number % 4 == 1:
        table["growths"] = [[rows, size, {key: [value] for key in prices}] for rows, size, prices in table["growths"]]
    elif number % 4 == 2:
        table["rates"] = [[size, value, passes] for size, _, passes in table["rates"]]
    else:
        table["rates"] = [[size, tokens, [value] * 3] for size, tokens, _ in table["rates"]]
    path = written(tmp_path / "costs", COSTS, (header, []))
    try:
        check_that_it_works(path, calls=50)
    except CostsError as error:
        assert "a saved cost table must hold what was saved, got a file made otherwise" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({"alone": [[1, 5, [0.0] * 9]]}, "times of plain passes must be a number from 1e-12 to"),
        ({"alone": [[1, 5, []]]}, "times of plain passes must be 1 to 9 numbers, got 0"),
        (
            {"alone": [[1, 5, [0.1]], [1, 5, [0.2]]]},
            "plain passes of the same rows and context must be listed once",
        ),
        ({"alone": [[True, 5, [0.1]]]}, "the rows of a pass must be a whole number from 1 to"),
        ({"growths": [[0, 2, {"9999999": [1.0]}]]}, "the columns of a pass must be a whole number, got '9999999'"),
        ({"growths": [[0, 2, {"02": [1.0]}]]}, "the columns of a pass must be a whole number, got '02'"),
        ({"growths": [[0, 2, {"4": [9.0]}]]}, "prices of wider passes must be a number from 1e-12 to 8.0, got 9.0"),
        ({"rates": [[0, 5.0, [1.0, 1.0]]]}, "the tokens of a rate must be a number from 0.0 to 3.0"),
        ({"rates": [[0, 1.0, []]]}, "the widest pass of a rate must be a whole number from 1 to 65536, got 0"),
    ],
)
def test_a_table_that_no_passes_can_have_made_is_refused_by_its_rule(tmp_path: Path, table: Any, rule: str) -> None:
    header = {"tables": {"a" * 64: {"alone": [], "growths": [], "rates": []} | table}}
    path = forge(tmp_path / "costs", COSTS, json.dumps([header, []]).encode())
    for load in (Speculator(clock=clock()).load_costs, lambda path: read_costs(str(path))):
        with pytest.raises(CostsError) as caught:
            load(path)
        assert rule in str(caught.value)
