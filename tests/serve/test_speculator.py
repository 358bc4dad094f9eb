"""The default Speculator of the service."""

import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest

from ngramspec import AdaptiveLookup, Speculator, Vocabulary
from ngramspec.decoding import MeasuredCosts
from ngramspec.errors import CostsError
from ngramspec.pico import repeat_prompt
from tests.serve.serving import pico, serving


def speculator_of(model: Any, **settings: Any) -> Speculator:
    async def ask() -> Speculator:
        async with serving(lambda: (model, pico()[1]), **settings) as client:
            engine = client.service.engine.engine
            assert engine is not None
            return engine.spec

    return asyncio.run(ask())


@pytest.mark.parametrize("history", [None, "history"])
def test_it_copies_from_what_is_spelled_alike_too(tmp_path: Path, history: str | None) -> None:
    for _ in range(2):  # where there is a history, it is made and then loaded
        spec = speculator_of(pico()[0], history=None if history is None else tmp_path / history)
        assert isinstance(spec.drafter, AdaptiveLookup)
        assert Vocabulary.of(pico()[1]).tokens == spec.drafter.__getstate__()["vocabulary"]


@pytest.mark.parametrize("history", [None, "history"])
def test_it_begins_with_the_costs_of_a_file(tmp_path: Path, history: str | None) -> None:
    measured, served = (copy.deepcopy(pico()[0]) for _ in range(2))
    earlier = Speculator()
    ids = pico()[1](repeat_prompt("a b c d"), return_tensors="pt").input_ids
    measured.generate(ids, custom_generate=earlier, max_new_tokens=20, do_sample=False)
    earlier.save_costs(tmp_path / "costs")
    spec = speculator_of(served, costs=tmp_path / "costs", history=None if history is None else tmp_path / history)
    expected = earlier.costs.of(measured).state()
    assert MeasuredCosts().state() != expected
    assert expected == spec.costs.of(served).state()


def test_costs_that_cannot_be_read_are_told_when_the_service_starts(tmp_path: Path) -> None:
    (tmp_path / "costs").write_text("nothing of the kind", encoding="utf-8")
    with pytest.raises(CostsError):
        speculator_of(pico()[0], costs=tmp_path / "costs")
