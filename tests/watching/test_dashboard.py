"""The dashboard fits the service: every query is PromQL, and every metric and label in it exists."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ngramspec.pico import repeat_prompt
from tests.serve.serving import serving

DASHBOARD = json.loads((Path(__file__).parents[2] / "examples" / "grafana.json").read_text(encoding="utf-8"))
VARIABLES = {"$model": "pico", "$segment": "orders", "$__rate_interval": "5m", "$__range": "1h"}
"""What Grafana puts in; its own, and those of the dashboard."""


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """The labels of each metric of a service that has answered requests."""

    async def ask() -> str:
        async with serving() as client:
            await client.complete(repeat_prompt("Once, and once more."), max_tokens=40, metadata={"segment": "orders"})
            metrics = await client.ask("/metrics")
            return b"".join(metrics.pieces).decode()

    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(asyncio.run(ask())):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def targets() -> Iterator[tuple[str, str, str]]:
    """Title, query and legend of all that is drawn."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"], annotation["textFormat"]


def filled_in(query: str) -> str:
    for name, text in VARIABLES.items():
        query = query.replace(name, text)
    assert "$" not in query
    return query


def parts_of(expression: Any) -> Iterator[Any]:
    """All expressions within one, itself included."""
    yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if hasattr(expression, name):
            yield from parts_of(getattr(expression, name))
    for argument in getattr(expression, "args", []):
        yield from parts_of(argument)


@pytest.mark.parametrize(("title", "query", "legend"), [*targets()], ids=lambda text: text[:24])
def test_a_query_is_promql_and_asks_for_metrics_and_labels_that_a_service_has(
    title: str, query: str, legend: str, told: dict[str, set[str]]
) -> None:
    parts = [*parts_of(promql_parser.parse(filled_in(query)))]
    selectors = [part for part in parts if isinstance(part, promql_parser.VectorSelector)]
    assert selectors
    known: set[str] = set()
    for selector in selectors:
        assert selector.name in told
        assert {matcher.name for matcher in selector.matchers.matchers} <= told[selector.name]
        known |= told[selector.name]
    kept = {label for part in parts if isinstance(part, promql_parser.AggregateExpr) and part.modifier
            for label in part.modifier.labels}  # fmt: skip
    assert kept <= known
    assert {*re.findall(r"{{(\w+)}}", legend)} <= kept


def test_its_variables_are_labels_that_a_service_has(told: dict[str, set[str]]) -> None:
    queries = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    assert 2 == len(queries)
    for query in queries:
        metric, label = re.fullmatch(r"label_values\(([\w:]+)(?:{.*})?, (\w+)\)", query).groups()  # type: ignore[union-attr]
        assert label in told[metric]


def test_every_metric_of_ours_is_on_it(told: dict[str, set[str]]) -> None:
    drawn = " ".join(query for _, query, _ in targets())
    ours = {
        name for name in told if name.startswith("ngramspec:") and not name.endswith(("_sum", "_count", "_created"))
    }
    assert len(ours) >= 12
    assert set() == {name for name in ours if name not in drawn}


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert taken.isdisjoint(cells)
        assert at["x"] + at["w"] <= 24
        taken |= cells
