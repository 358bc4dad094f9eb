"""`ngramspec demo` fails if the texts differ, and marks wrong answers."""

import re
from pathlib import Path

import pytest

from ngramspec.pico.demo_inputs import demo_inputs
from tests.cli.conftest import Command, break_speculation

ESCAPE = "\x1b["


@pytest.fixture(autouse=True)
def _one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngramspec.cli.demo_job.ROUNDS", 1)  # times are not tested


def test_the_packaged_model_writes_plain_decodings_texts_in_fewer_passes(run: Command) -> None:
    outcome = run("demo")
    assert outcome.code == 0
    assert outcome.output.startswith("pico (2.0 M parameters, float32, cpu), greedy, default settings\n")
    assert outcome.output.count("identical: yes; answer: right") == 3
    assert all(int(first) > 1 for first in re.findall(r"the\s+first\s+request\s+took (\d+) passes", outcome.output))
    rates = re.findall(r"target passes: (\d+\.\d+) per pass", outcome.output)
    assert len(rates) == 3
    assert all(float(rate) > 1.5 for rate in rates)


def test_the_rule_that_chose_the_jobs_is_told_with_how_many_were_looked_at(run: Command, model: Path) -> None:
    told = ", ".join(f"{job.looked_at} ({job.name})" for job in demo_inputs())
    assert f"judged before anything is drafted. Looked at: {told}.\n" in run("demo", "--model", model).output


def test_a_wrong_answer_is_shown_as_wrong_with_what_was_expected(run: Command, model: Path) -> None:
    outcome = run("demo", "--model", model)  # random weights: identical to plain decoding, and wrong
    assert outcome.code == 0
    assert outcome.output.count("identical: yes; answer: wrong") == 3
    for job in demo_inputs():
        for line in job.prompt.splitlines():
            assert line in outcome.output
        assert f"expected  {job.expected.splitlines()[0]}" in outcome.output


def test_texts_that_differ_are_shown_and_end_in_exit_code_1(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_speculation(monkeypatch)
    outcome = run("demo", "--model", model)
    assert outcome.code == 1
    assert outcome.output.count("identical: no") == 3


def test_no_drafts_at_all_make_one_token_per_pass(run: Command, model: Path) -> None:
    outcome = run("demo", "--model", model, "--max-draft-tokens", 0)
    assert outcome.code == 0
    assert outcome.output.count(" 1.00 per pass, 0 tokens from drafts") == 3


def test_a_draft_length_makes_the_same_passes_in_every_request(run: Command, model: Path) -> None:
    outcome = run("demo", "--model", model, "--max-draft-tokens", 4)
    assert "greedy, drafts of up to 4 tokens" in outcome.output
    found = re.findall(r"in (\d+) target passes: .*?first\s+request\s+took (\d+) passes", outcome.output, re.DOTALL)
    assert len(found) == 3
    assert all(later == first for later, first in found)


def test_piped_output_has_no_colour(run: Command, model: Path) -> None:
    output = run("demo", "--model", model).output
    assert ESCAPE not in output
    assert "This colour" not in output
