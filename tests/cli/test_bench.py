"""`ngramspec bench` from the command line: a table, a JSON object, a page; offline; and errors that say what to do."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from ngramspec import Speculator
from tests.cli.conftest import Command, save_tiny

PAGE = Path(__file__).parents[2] / "docs" / "bench.md"
SHORT = "--max-new-tokens", 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    rows = [{"prompt": "abcabcabc"[: 4 + index], "segment": "xy"[index % 2]} for index in range(5)]
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_the_object_has_a_run_for_each_batch_and_a_verdict_for_each_segment(
    run: Command, model: Path, prompts: Path, tmp_path: Path
) -> None:
    html = tmp_path / "report.html"
    outcome = run("bench", model, "--prompts", prompts, "--batch", "1,2,8", *SHORT, "--json", "--html", html)
    assert outcome.code == 0, outcome.errors
    found: dict[str, Any] = json.loads(outcome.output)
    assert [1, 2] == [each["batch"] for each in found["runs"]]
    assert {"lookup": 5, "drafts": 5} == found["runs"][0]["total"]["identical"]
    assert {"drafts": 5} == found["runs"][1]["total"]["identical"]
    assert (3, 2) == tuple(found["runs"][0]["segments"][name]["on"]["requests"] for name in "xy")
    for each in found["runs"]:
        on, off = each["total"]["on"], each["total"]["off"]
        assert on["tokens"] == off["tokens"] == 5 * 12
        assert 0 < on["num_accepted_tokens"] < on["num_draft_tokens"]
        assert 0.0 < on["latency_s"]["p50"] <= on["latency_s"]["p95"]
    assert {"x", "y"} == set(found["segments"])
    assert "batch_without_gain" in found["total"]
    assert "Batches of 8 left out: there are fewer prompts." in found["about"]
    assert "Speculation with your model and prompts" in html.read_text()


def test_the_table_has_every_arm_and_says_that_texts_are_the_same(run: Command, model: Path, prompts: Path) -> None:
    outcome = run("bench", model, "--prompts", prompts, "--batch", "1", *SHORT)
    assert outcome.code == 0, outcome.errors
    assert "Same text as plain decoding, 1 in a batch: lookup 5 of 5, drafts 5 of 5." in outcome.output
    for arm in ("plain", "lookup", "drafts"):
        assert re.search(rf"\b{arm}\b +([0-9.]+ +)?[0-9.]+ m?s", outcome.output)
    assert "All: " in outcome.output


def test_a_text_that_drafts_change_ends_in_exit_code_1(
    run: Command, model: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = Speculator.generate

    def wrong(self: Speculator, *arguments: Any, **named: Any) -> Any:
        output = generate(self, *arguments, **named).clone()
        output[0, -1] += 1
        return output

    monkeypatch.setattr(Speculator, "generate", wrong)
    outcome = run("bench", model, "--prompts", prompts, "--batch", "5", *SHORT)
    assert outcome.code == 1
    assert "5 in a batch: drafts 4 of 5." in outcome.output


WRONG = {
    ("pico", "--batch", "0"): "--batch must be whole numbers from 1 to 1024, got '0': write 1,4,16",
    ("pico", "--batch", "4"): "--batch must fit the 3 prompts, got 4: write a smaller one, or add prompts",
    ("elsewhere",): "--prompts is needed for any model but pico, got none: name a file of your prompts",
    ("pico", "--prompts", "nowhere.jsonl"): "nowhere.jsonl",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_errors_say_what_to_do(run: Command, arguments: tuple[str, ...]) -> None:
    outcome = run("bench", *arguments)
    assert outcome.code == 2
    assert WRONG[arguments] in outcome.errors


def test_a_segment_is_text(run: Command, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "ab", "segment": 7}\n')
    outcome = run("bench", "pico", "--prompts", tmp_path / "prompts.jsonl")
    assert outcome.code == 2
    assert "prompts.jsonl:1: segment must be text, got 7; name it, or leave it out" in outcome.errors


def test_the_commands_of_the_page_run(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": "ab", "segment": "a"}] * 4
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ngramspec ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        outcome = run(*shlex.split(command), *SHORT)
        assert (0, True) == (outcome.code, bool(outcome.output)), f"{command}: {outcome.errors}"
    assert Path("report.html").exists()
