"""`ngramspec replay --cost`: a published fit, or a table that was measured and saved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngramspec import Speculator
from ngramspec.decoding import MeasuredCosts, Shape, fitted
from ngramspec.errors import CostsError
from ngramspec.files import whole_file
from ngramspec.replay import read_costs
from tests.cli.conftest import Command
from tests.hf.models import padded_prompts, tiny

ROW = {"prompt_ids": [1, 2, 3], "output_ids": [4, 5, 6, 7, 8, 9, 10, 11, 12], "segment": "a"}
Saved = Callable[..., Path]


def measured(column: float) -> MeasuredCosts:
    """A pass takes 10 ms, and so many ms more for each column after the first; four rows take twice as long."""
    costs = MeasuredCosts()
    for rows in (1, 4):
        for columns in (1, 2, 4, 8, 16, 32, 64):
            for _ in range(9):
                seconds = (10 + column * (columns - 1)) * 1e-3 * (2 if rows == 4 else 1)
                costs.record(Shape(rows, columns, rows * columns, 4), seconds, rows)
    return costs


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Saves tables, as `Speculator.save_costs` does."""

    def save(**tables: MeasuredCosts) -> Path:
        path = tmp_path / "my.costs"
        states = {name.ljust(64, "0"): costs.state() for name, costs in tables.items()}
        whole_file.write(path, whole_file.COSTS, {"tables": states})
        return path

    return save


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_text((json.dumps(ROW) + "\n") * 20)
    return path


def replayed(run: Command, traces: Path, *options: object) -> dict[str, Any]:
    outcome = run("replay", traces, "--json", *options)
    assert outcome.code == 0, outcome.errors
    report: dict[str, Any] = json.loads(outcome.output)
    return report


@pytest.mark.parametrize("batch", [1, 4])
def test_a_replay_by_a_table_adds_up_what_its_passes_cost(run: Command, traces: Path, saved: Saved, batch: int) -> None:
    report = replayed(run, traces, "--cost", saved(aa=measured(0.1)), "--batch", batch)
    total = report["total"]
    drafted = 10 * total["target_passes"] + 0.1 * total["num_draft_tokens"]
    assert total["num_accepted_tokens"] > 0
    assert report["modelled_speedup"] == pytest.approx(10 * total["tokens"] / drafted)
    assert report["modelled_speedup"] > 3
    assert report["cost"].endswith("my.costs#aa000000")


@pytest.mark.parametrize("batch", [1, 32])
def test_the_hosts_time_is_added_to_each_pass_of_a_published_fit(run: Command, traces: Path, batch: int) -> None:
    report = replayed(run, traces, "--cost", "h100-8b", "--batch", batch)
    total, us = report["total"], report["host_us"]
    costs = fitted("h100-8b", batch)
    drafted = total["num_draft_tokens"] / total["target_passes"]
    host = 1e-6 * (us["of_pass"] + batch * (us["of_row"] + us["drafting"]))
    expected = total["tokens_per_pass"] * costs.of(1) / (costs.of(1 + drafted) + host)
    assert report["modelled_speedup_with_host"] == pytest.approx(expected)
    assert min(us.values()) > 0.0
    assert report["modelled_speedup_with_host"] < report["modelled_speedup"]


def test_the_hosts_time_is_added_to_each_pass_of_a_table(run: Command, traces: Path, saved: Saved) -> None:
    report = replayed(run, traces, "--cost", saved(aa=measured(0.1)), "--batch", 4)
    total, us = report["total"], report["host_us"]
    plain, own = 20e-3 * total["tokens"], 20e-3 * total["tokens"] / report["modelled_speedup"]
    host = 1e-6 * (us["of_pass"] + 4 * (us["of_row"] + us["drafting"]))
    expected = plain / (own + total["target_passes"] * host)
    assert report["modelled_speedup_with_host"] == pytest.approx(expected)


def test_where_a_column_costs_a_pass_nothing_is_drafted(run: Command, traces: Path, saved: Saved) -> None:
    report = replayed(run, traces, "--cost", saved(aa=measured(10.0)))
    assert (0, 1.0) == (report["total"]["num_draft_tokens"], report["modelled_speedup"])


def test_a_replay_can_use_what_a_speculator_saved(run: Command, traces: Path, tmp_path: Path) -> None:
    spec, model = Speculator(), tiny("llama")
    for _ in range(3):
        model.generate(**padded_prompts(1), custom_generate=spec, speculate=False, max_new_tokens=12)
    spec.save_costs(tmp_path / "llama.costs")
    report = replayed(run, traces, "--cost", tmp_path / "llama.costs")
    assert report["cost"].startswith(f"{tmp_path / 'llama.costs'}#")
    assert report["modelled_speedup"] >= 1.0 - 1e-9


def test_of_several_tables_one_is_named_by_how_its_fingerprint_begins(run: Command, traces: Path, saved: Saved) -> None:
    path = saved(ab=measured(0.1), cd=measured(10.0))
    for table, is_drafted in (("ab", True), ("c", False)):
        assert is_drafted == (replayed(run, traces, "--cost", f"{path}#{table}")["total"]["num_draft_tokens"] > 0)
    for name, found in ((str(path), 2), (f"{path}#", 2), (f"{path}#e", 0)):
        outcome = run("replay", traces, "--cost", name)
        assert outcome.code == 2
        listed = f"{path}#ab000000 (a plain pass takes 10 ms), {path}#cd000000 (a plain pass takes 10 ms)"
        assert f"which names {found} of {listed}: name the one of your model\n" in outcome.errors


def test_a_table_without_a_plain_pass_prices_nothing(saved: Saved) -> None:
    with pytest.raises(CostsError, match="must hold a measured plain pass, got none in"):
        read_costs(str(saved(aa=MeasuredCosts())))


@pytest.mark.parametrize("state", [5, {}, {"alone": 5, "growths": [], "rates": []}, {"alone": [[1]]}])
def test_a_table_of_another_shape_is_named(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "forged.costs"
    whole_file.write(path, whole_file.COSTS, {"tables": {"aa": state}})
    with pytest.raises(
        CostsError, match=r"must hold what was saved, got a file made otherwise, .*forged\.costs: table 'aa': "
    ):
        read_costs(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cost", "h100-8"], "--cost must be h100-8b, or a file that Speculator.save_costs wrote, got 'h100-8': there"
                               " is no such file (did you mean h100-8b?)"),
        (["--cost", __file__], "a saved cost table begins with 'ngramspec cost table '"),
        (["--batch", "4"], "--batch is for what passes cost: add --cost, or leave it out"),
        (["--cost", "h100-8b", "--max-draft-tokens", "4"], "with --cost a draft is as long as it pays"),
    ],
)  # fmt: skip
def test_options_that_would_be_ignored_or_cannot_be_read_are_errors(
    run: Command, traces: Path, options: list[str], message: str
) -> None:
    outcome = run("replay", traces, *options)
    assert outcome.code == 2
    assert outcome.output == ""
    assert message in outcome.errors


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_recordings_without_a_request_are_an_error(run: Command, tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    outcome = run("replay", path)
    assert outcome.code == 2
    assert outcome.output == ""
    assert (
        outcome.errors
        == f"ngramspec: a replay needs at least one recorded request, got none in {path}: name a file that has some\n"
    )


def test_names_of_segments_reach_the_screen_as_text(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt_ids": [1], "output_ids": [1, 2], "segment": "[/red]\x1b[31m\n"}))
    outcome = run("replay", path)
    assert outcome.code == 0
    assert r"[/red]\x1b[31m\n  " in outcome.output


@pytest.mark.parametrize("key", ["prompt", "output"])
def test_half_a_character_is_no_text(run: Command, tmp_path: Path, key: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "a", "output": "b"} | {key: "\ud800"}))
    outcome = run("replay", path, "--tokenizer", "pico")
    assert outcome.code == 2
    assert rf"{path}:1: {key} must be valid Unicode, got '\ud800'; pair its surrogates" in outcome.errors


@pytest.mark.parametrize("command", [["replay"], ["check", "--prompts"], ["generate", "--prompt-file"]])
def test_what_is_nested_too_deeply_is_named(run: Command, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text("[" * 100_000)
    outcome = run(*command, path)
    assert outcome.code == 2
    assert f"{path}:1: a line must hold one JSON object" in outcome.errors
