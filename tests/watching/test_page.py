"""The examples of docs/watching.md do what they show, and its tables list what exists."""

import doctest
import logging
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import REGISTRY

import ngramspec
from ngramspec.pico import repeat_prompt
from ngramspec.stats import Counters
from ngramspec.watching import SpeculatorCollector
from ngramspec.watching.drift import Traffic

PAGE = (Path(__file__).parents[2] / "docs" / "watching.md").read_text(encoding="utf-8")


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """What the page takes for given."""
    model, tokenizer = ngramspec.load_pico()
    prompt = repeat_prompt("Two boxes, and two more.")
    names = {
        "inputs": tokenizer([prompt, prompt], return_tensors="pt"),
        "meter_provider": MeterProvider([InMemoryMetricReader()]),
        "model": model,
        "spec": ngramspec.Speculator(),
        "tokenizer": tokenizer,
    }
    yield names
    REGISTRY.unregister(names["collector"])
    logging.getLogger("ngramspec").removeHandler(names["kept"])


def test_the_examples_do_what_they_show(names: dict[str, Any]) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = doctest.DocTestParser().get_doctest(code, names, "watching.md", None, None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        runner.run(test, clear_globs=False)
    names |= test.globs
    assert (0, len(test.examples)) == (runner.failures, runner.tries)
    assert len(test.examples) >= 15


def test_its_tables_name_all_counters_metrics_and_fields_of_the_log() -> None:
    named = {*re.findall(r"`([\w:]+)`", PAGE)}
    collector = SpeculatorCollector(ngramspec.Speculator())
    metrics = [family.name + ("" if family.type == "histogram" else "_total") for family in collector.collect()]
    assert len(metrics) >= 12
    expected = {*(each.name for each in fields(Counters)), *metrics, *Traffic(Counters()).figures()}
    assert set() == expected - named
