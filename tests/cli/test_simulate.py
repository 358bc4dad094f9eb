"""`ngramspec simulate` from the command line: a table, a JSON object, a page; and errors that say what to do."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

ROWS = [
    {
        "prompt_ids": [100 * index + token for token in range(30)],
        "output_ids": [100 * index + token for token in range(20)],
        "segment": "ab"[index % 2],
        "arrival_s": 1000 + index / 4,
    }
    for index in range(20)
]
BY_CONCURRENCY = ("--concurrency", "1,4")


def write(folder: Path, rows: list[dict[str, Any]], name: str = "traces.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    return write(tmp_path, ROWS)


def simulated(run: Command, *arguments: object) -> dict[str, Any]:
    outcome = run("simulate", *arguments, "--json")
    assert outcome.code == 0, outcome.errors
    found: dict[str, Any] = json.loads(outcome.output)
    return found


def test_the_object_has_a_run_for_each_load_and_a_verdict_for_each_segment(run: Command, traces: Path) -> None:
    found = simulated(run, traces, *BY_CONCURRENCY)
    assert [1, 4] == [each["concurrency"] for each in found["runs"]]
    for each in found["runs"]:
        assert (20, 10) == (each["total"]["on"]["requests"], each["segments"]["a"]["off"]["requests"])
        assert each["total"]["on"]["tokens"] == each["total"]["off"]["tokens"] == 20 * 20
    assert {"a", "b"} == set(found["segments"])
    assert found["segments"]["a"]["verdict"] in ("on", "off", "either")
    assert "Drafting takes 100 µs for a pass, 30 µs for each row" in found["about"][1]
    assert 0.0 < found["runs"][0]["formula"]["acceptance"] <= 1.0


def test_without_drafts_one_request_at_a_time_takes_what_the_published_fit_says(run: Command, traces: Path) -> None:
    (only,) = simulated(run, traces, "--concurrency", "1")["runs"]
    pass_, token = 7.09e-3, 21.01e-6
    assert 20 * pass_ + (30 + 19) * token == pytest.approx(only["total"]["off"]["latency_s"]["p50"])


def test_two_runs_print_the_same(run: Command, traces: Path) -> None:
    assert simulated(run, traces, *BY_CONCURRENCY) == simulated(run, traces, *BY_CONCURRENCY)


def test_the_seed_is_of_the_order(run: Command, traces: Path) -> None:
    runs = [simulated(run, traces, "--rate", "20", "--seed", seed)["runs"] for seed in (0, 1)]
    assert runs[0] != runs[1]


def test_requests_come_at_their_rate_or_as_recorded(run: Command, traces: Path) -> None:
    found = simulated(run, traces, "--rate", "0.5,50")
    by_rate = found["runs"]
    assert "rate_without_gain" in found["total"]
    assert [0.5, 50.0] == [each["rate"] for each in by_rate]
    waits = [each["total"]["off"]["first_token_s"]["p95"] for each in by_rate]
    assert waits[0] < waits[1]
    (recorded,) = simulated(run, traces, "--rate", "recorded")["runs"]
    assert 20 / (19 / 4) == pytest.approx(recorded["rate"])
    assert recorded["total"]["off"]["seconds"] > 19 / 4


def test_the_table_and_the_verdicts_are_for_people(run: Command, traces: Path) -> None:
    outcome = run("simulate", traces, *BY_CONCURRENCY)
    assert outcome.code == 0
    assert "20 requests, by what passes cost for an 8 B Llama on one NVIDIA H100" in outcome.output
    assert re.search(r"^a +1 +plain", outcome.output, re.MULTILINE)
    assert re.search(
        r"^\nAll: Switch it on\. A request takes 0\.\d\d of the time at 1 concurrent", outcome.output, re.M
    )


class Page(HTMLParser):
    """Collects tags, the values of attributes, and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value or "" for _, value in attrs]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


HOSTILE = "</style><script>alert(1)</script>\x1b[31m\u202e"


def test_the_page_is_whole_and_asks_nothing_of_another_place(run: Command, tmp_path: Path) -> None:
    path = write(tmp_path, [*ROWS, *({**row, "segment": HOSTILE} for row in ROWS)])
    outcome = run("simulate", path, *BY_CONCURRENCY, "--html", tmp_path / "report.html")
    assert outcome.code == 0, outcome.errors
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(written)
    assert [] == page.open
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(page.tags)
    assert not [value for value in page.values if "://" in value]
    assert "url(" not in written
    assert "\x1b" not in written
    assert "\u202e" not in written
    assert 4 == page.tags.count("svg")
    assert any("<script>alert(1)</script>" in text for text in page.texts)
    assert "\x1b" not in outcome.output


def test_a_report_replaces_regular_files_only(run: Command, traces: Path, tmp_path: Path) -> None:
    outcome = run("simulate", traces, "--concurrency", "1", "--html", tmp_path)
    assert outcome.code == 2
    assert str(tmp_path) in outcome.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ours",), "ngramspec, as many tokens as pay"),
        (("lookup",), "prompt lookup, the latest longest match, 10 tokens"),
        (("vllm-v1",), "vLLM's n-grams, the earliest match"),
        (("vllm-v2",), "vLLM's n-grams, the latest match"),
        (
            ("model", "--acceptance", "0.9", "--draft-tokens", "3", "--draft-cost", "0.1"),
            "a model that is right 0.9 of",
        ),
    ],
)
def test_drafters_are_compared_by_name(run: Command, traces: Path, arguments: tuple[str, ...], words: str) -> None:
    found = simulated(run, traces, "--concurrency", "1", "--drafter", *arguments)
    assert words in found["about"][1]
    assert found["runs"][0]["total"]["on"]["num_accepted_tokens"] > 0


def test_a_suffix_tree_needs_its_package(run: Command, traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arctic_inference", None)
    monkeypatch.delitem(sys.modules, "arctic_inference.suffix_decoding", raising=False)
    outcome = run("simulate", traces, "--drafter", "suffix")
    assert (2, "") == (outcome.code, outcome.output)
    assert "--drafter suffix needs arctic-inference: pip install arctic-inference" in outcome.errors


def test_requests_that_write_nothing_are_left_out_and_counted(run: Command, tmp_path: Path) -> None:
    loop = {**ROWS[0], "meta": {"degenerate_loop": True}}
    path = write(tmp_path, [*ROWS, {"prompt_ids": [1], "output_ids": []}, loop])
    found = simulated(run, path, "--concurrency", "1")
    assert 20 == found["runs"][0]["total"]["on"]["requests"]
    assert "2 requests left out: without an output, or a repetition loop." in found["about"]


WRONG = {
    ("--concurrency", "0"): "--concurrency must be whole numbers from 1 to 4096, got '0': write 1,4,16",
    ("--concurrency", "1,x"): "--concurrency must be whole numbers from 1 to 4096, got '1,x'",
    ("--concurrency", "1,99999"): "--concurrency must be whole numbers from 1 to 4096",
    ("--concurrency", ",".join(["1"] * 17)): "at most 16 loads are measured, got more: name fewer",
    ("--rate", "0"): "--rate must be requests per second, each above 0, or recorded, got '0': write 0.5,2",
    ("--rate", "nan"): "--rate must be requests per second",
    ("--rate", "1", "--concurrency", "1"): "a load is closed or open: leave --concurrency or --rate out",
    ("--cost", "h200-8b"): "--cost must be h100-8b, or a file that ngramspec calibrate wrote, got 'h200-8b': there is"
    " no such file (did you mean h100-8b?)",
    ("--cost", ""): "--cost must be h100-8b, or a file that ngramspec calibrate wrote, got ''",
    ("--drafter", "model"): "--acceptance, --draft-tokens and --draft-cost are of --drafter model, and it needs them",
    ("--acceptance", "0.5"): "a model drafter needs --acceptance, --draft-tokens and --draft-cost: give all three",
    ("--acceptance", "0.5", "--draft-tokens", "3", "--draft-cost", "0"): "are of --drafter model, and it needs them",
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG.items())
def test_a_wrong_option_is_refused_with_the_rule_the_value_and_what_to_do(
    run: Command, traces: Path, arguments: tuple[str, ...], expected: str
) -> None:
    outcome = run("simulate", traces, *arguments)
    assert outcome.code == 2
    assert expected in " ".join(outcome.errors.replace("│", " ").split())


def test_files_without_requests_are_named(run: Command, tmp_path: Path) -> None:
    empty = write(tmp_path, [], "empty.jsonl")
    outcome = run("simulate", empty)
    assert (2, "") == (outcome.code, outcome.output)
    assert f"at least one recorded request with an output, got none in {empty}: name a file" in outcome.errors


def test_more_requests_than_fit_are_refused(run: Command, traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["ngramspec.cli.simulate"], "MOST_REQUESTS", 19)
    outcome = run("simulate", traces)
    assert (2, "") == (outcome.code, outcome.output)
    assert f"a simulation takes at most 19 recorded requests, got more in {traces}: name a part" in outcome.errors


def test_recorded_times_must_be_there(run: Command, tmp_path: Path) -> None:
    path = write(tmp_path, [*ROWS, {"prompt_ids": [1], "output_ids": [1]}])
    outcome = run("simulate", path, "--rate", "recorded")
    assert outcome.code == 2
    assert "--rate recorded needs arrival_s in each row, got 1 without it" in " ".join(
        outcome.errors.replace("│", " ").split()
    )


@pytest.mark.parametrize("line", ["{", '{"prompt_ids": [1], "output_ids": [-1]}', '{"prompt": "a", "output": "b"}'])
def test_a_broken_line_is_named_and_nothing_is_written(run: Command, tmp_path: Path, line: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    outcome = run("simulate", path, "--html", tmp_path / "report.html")
    assert (2, "") == (outcome.code, outcome.output)
    assert f"{path}:2: " in outcome.errors
    assert not (tmp_path / "report.html").exists()
