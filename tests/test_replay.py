"""A replay counts what the loop would do for recorded requests, and refuses what it cannot read."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ngramspec.cli import app, main
from ngramspec.decoding import AdaptiveBudget, LinearCosts
from ngramspec.drafting import ROOT, AdaptiveLookup, Draft, PromptLookup, TokenArray, Tree
from ngramspec.errors import TraceError
from ngramspec.replay import PromptAs, Report, Trace, load_tokenizer, read_traces, replay
from ngramspec.replay.alternatives import Alternatives
from tests.oracles import OracleLookupSession

SHARED_TRACES = Path(__file__).parents[2] / "shared" / "traces"


def ids(tokens: Iterable[int]) -> TokenArray:
    return np.array(list(tokens), np.int32)


def trace(prompt: Iterable[int], output: Iterable[int], segment: str | None = None, *, loop: bool = False) -> Trace:
    return Trace(ids(prompt), ids(output), segment, loop)


class Characters:
    """A tokenizer with a token per character."""

    def encode(self, text: str) -> Sequence[int]:
        return [ord(character) for character in text]


def write(path: Path, rows: Iterable[object]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def simulate(prompt: list[int], output: list[int], max_draft_tokens: int) -> tuple[int, int, int, int]:
    """Tokens, passes, drafted and accepted tokens of one request, without the loop and without the index."""
    session = OracleLookupSession()
    session.extend(ids(prompt + output[:1]))
    tokens = passes = drafted = accepted = 0
    position = 1
    while position < len(output):
        room = len(output) - position - 1  # the bonus token needs room too
        draft = session.propose(min(max_draft_tokens, room)).tokens.tolist()
        agreeing = 0
        while agreeing < len(draft) and draft[agreeing] == output[position + agreeing]:
            agreeing += 1
        session.extend(ids(output[position : position + agreeing + 1]))
        position += agreeing + 1
        tokens += agreeing + 1
        passes += 1
        drafted += len(draft)
        accepted += agreeing
    return tokens, passes, drafted, accepted


token_lists = st.lists(st.integers(0, 2), max_size=60)


@given(
    rows=st.lists(st.tuples(token_lists, token_lists, st.sampled_from(["a", "b", None])), max_size=5),
    max_draft_tokens=st.integers(0, 12),
)
@settings(deadline=None)
def test_a_replay_counts_what_an_independent_simulation_counts(
    rows: list[tuple[list[int], list[int], str | None]], max_draft_tokens: int
) -> None:
    report = replay([trace(*row) for row in rows], PromptLookup(), max_draft_tokens=max_draft_tokens)
    for segment, counted in [(None, report.total), *report.segments.items()]:
        mine = [row for row in rows if segment is None or row[2] == segment]
        simulated = np.array([simulate(row[0], row[1], max_draft_tokens) for row in mine]).reshape(-1, 4).sum(axis=0)
        counters = counted.counters
        actual = (counters.tokens, counters.target_passes, counters.num_draft_tokens, counters.num_accepted_tokens)
        assert tuple(simulated) == actual
        assert len(mine) == counters.requests
        assert sum(max(0, len(row[1]) - 1) for row in mine) == counters.tokens
        assert counters.num_accepted_tokens + counters.target_passes == counters.tokens
        assert counters.num_accepted_tokens == sum(counters.num_accepted_tokens_per_pos)
    assert {row[2] for row in rows} - {None} == set(report.segments)


class AnyTrees:
    """A drafter of trees at random, of one token in three."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AnyTrees":
        return self

    def extend(self, tokens: TokenArray) -> None:
        pass

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(ids(self._random.integers(0, 3, max_tokens).tolist()))

    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Tree:
        edges: list[tuple[int, int]] = []
        while len(edges) < max_nodes:
            edge = int(self._random.integers(ROOT, len(edges))), int(self._random.integers(0, 3))
            edges += [] if edge in edges else [edge]
        parents, tokens = [parent for parent, _ in edges], [token for _, token in edges]
        return Tree(ids(tokens), np.ones(len(edges)), parents=ids(parents))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


@given(
    outputs=st.lists(st.lists(st.integers(0, 2), max_size=30), max_size=4),
    most=st.integers(0, 12),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_any_trees_are_walked_as_far_as_the_recording_is_a_path(outputs: list[list[int]], most: int, seed: int) -> None:
    report = replay([trace([], output) for output in outputs], AnyTrees(seed), max_draft_tokens=most, takes_trees=True)
    drafter, passes, drafted = AnyTrees(seed), 0, 0
    for output in outputs:
        position = 1
        while position < len(output):
            tree = drafter.propose_tree(min(most, len(output) - position - 1))
            edges = [*zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)]
            node = ROOT
            while position < len(output) and (node, output[position]) in edges:
                node, position = edges.index((node, output[position])), position + 1
            position, passes, drafted = position + 1, passes + 1, drafted + len(edges)
    counters = report.total.counters
    assert (passes, drafted) == (counters.target_passes, counters.num_draft_tokens)
    assert sum(max(0, len(output) - 1) for output in outputs) == counters.tokens
    assert counters.tokens == counters.target_passes + counters.num_accepted_tokens


def test_trees_are_drafted_only_for_a_target_that_takes_them_and_by_drafters_that_can() -> None:
    traces = [trace([0, 1, 2] * 5, [0, 1, 2] * 10)]
    chains = replay(traces, AnyTrees(0)).as_dict()
    assert chains != replay(traces, AnyTrees(0), takes_trees=True).as_dict()
    timeless = [replay(traces, PromptLookup(), takes_trees=takes, clock=lambda: 0).as_dict() for takes in (False, True)]
    assert timeless[0] == timeless[1]


def test_of_a_recording_that_says_what_was_held_for_likely_that_is_drafted_too() -> None:
    """Here each choice held the next token for likely."""
    output = np.random.default_rng(0).permutation(200).astype(np.int32)
    top = Alternatives(
        np.stack([output, np.roll(output, -1)], axis=1), np.log(np.array([[0.6, 0.4]] * 200, np.float32))
    )
    plain = Trace(ids([]), output, "a")
    passes = []
    for each, takes_trees in (
        (plain, True),
        (replace(plain, output_top=top), False),
        (replace(plain, output_top=top), True),
    ):
        report = replay(
            [each], AdaptiveLookup(), budget=AdaptiveBudget(), costs=LinearCosts(1.0, 0.001), takes_trees=takes_trees
        )
        passes.append(report.total.counters.target_passes)
    assert [199, 199] == passes[:2]
    assert passes[2] < 110


def test_an_output_of_one_token_or_none_is_a_request_without_passes() -> None:
    report = replay([trace([1, 2], []), trace([1, 2], [3]), trace([], [])], PromptLookup())
    expected = {"requests": 3, "tokens": 0, "target_passes": 0, "num_draft_tokens": 0, "num_accepted_tokens": 0}
    assert expected == {key: report.total.as_dict()[key] for key in expected}
    assert (0.0, 0.0) == (report.total.as_dict()["acceptance_rate"], report.total.as_dict()["tokens_per_pass"])


def test_repetition_loops_are_left_out_and_counted() -> None:
    report = replay([trace([1], [1] * 9, "chat", loop=True), trace([1], [1] * 9, "chat")], PromptLookup())
    assert (1, 1) == (report.num_degenerate_loops, report.total.counters.requests)


def test_drafting_is_timed_by_the_clock_that_is_passed_in_and_the_prompt_apart() -> None:
    ticks = count(step=1000)  # a microsecond between any two looks at the clock
    report = replay([trace([1, 2], [3, 4, 5])], PromptLookup(), clock=lambda: next(ticks))
    figures = report.total.as_dict()
    # Two passes over one token each, in each of them propose, observe and extend; then close.
    assert 2 == figures["target_passes"]
    assert 3.5 == figures["us_per_token"]
    assert 3 == figures["prompt_tokens"]
    assert 1.0 == figures["us_per_prompt_token"] * figures["prompt_tokens"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_text_and_ids_gzipped_or_not_read_the_same(tmp_path: Path, name: str) -> None:
    rows = [
        {"prompt": "ab", "output": "b", "segment": "x", "meta": {"degenerate_loop": True}, "id": 7},
        {"prompt_ids": [97, 98], "output_ids": [98], "segment": "x", "meta": {"degenerate_loop": True}},
    ]
    read = list(read_traces(write(tmp_path / name, rows), Characters()))
    for actual in read:
        assert ([97, 98], [98]) == (actual.prompt.tolist(), actual.output.tolist())
        assert ("x", True) == (actual.segment, actual.degenerate_loop)
    assert 2 == len(read)


def test_blank_lines_and_empty_files_hold_no_requests(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"prompt_ids": [], "output_ids": []}\n  \n')
    assert 1 == len(list(read_traces(path)))
    assert [] == list(read_traces(write(tmp_path / "none.jsonl.gz", [])))


BAD_LINES = {
    '{"prompt": "a"': "a line must hold one JSON object in UTF-8, got",
    "[1, 2]": "a line must hold one JSON object, got [1, 2]; write one object per line",
    '{"prompt": "a"}': "a row must have prompt and output, prompt_ids and output_ids, or messages, got the k",
    '{"prompt": "a", "output_ids": [1]}': "got the keys ['prompt', 'output_ids']",
    '{"prompt": 5, "output": "a"}': "prompt must be text, got 5; token ids go into prompt_ids and output_ids",
    '{"prompt": "a", "output": null}': "output must be text, got None",
    '{"prompt_ids": "a", "output_ids": [1]}': "prompt_ids must be a list of token ids, got 'a'; write [1, 2, 3]",
    '{"prompt_ids": [1], "output_ids": [1, -1]}': "output_ids[1] must be a whole number from 0 to 2147483647, got -1;",
    '{"prompt_ids": [2147483648], "output_ids": []}': "prompt_ids[0] must be a whole number from 0 to 2147483647, got",
    '{"prompt_ids": [true], "output_ids": []}': "prompt_ids[0] must be a whole number from 0 to 2147483647, got True",
    '{"prompt_ids": [1.5], "output_ids": []}': "prompt_ids[0] must be a whole number from 0 to 2147483647, got 1.5",
    '{"prompt_ids": [1], "output_ids": [1], "output_top_ids": [[1]]}': "must come together, got no output_top_log",
    **{
        f'{{"prompt_ids": [], "output_ids": [1, 2], "output_top_ids": {top}, "output_top_logprobs": {logprobs}}}': error
        for top, logprobs, error in [
            ("[[1], [2]]", "5", "output_top_logprobs must be a list with a list for each token of output_ids, got 5;"),
            ("[[1]]", "[[0]]", "output_top_ids must have a list for each of the 2 tokens of output_ids, got 1; record"),
            ("[[1], [-2]]", "[[0], [0]]", "output_top_ids[1][0] must be a whole number from 0 to 2147483647, got -2;"),
            ("[[1], 3]", "[[0], [0]]", "output_top_ids[1] must be a list of token ids, got 3; write [1, 2, 3]"),
            ("[[1], [2]]", "[[0], 0]", "output_top_logprobs[1] must be a list of numbers, got 0; write [-0.1, -2.5]"),
            (
                "[[1], [2]]",
                "[[0], [0.5]]",
                "output_top_logprobs[1][0] must be a number from -10000 to 0, got 0.5; record",
            ),
            (
                "[[1], [2]]",
                "[[-1e999], [0]]",
                "output_top_logprobs[0][0] must be a number from -10000 to 0, got -inf; ",
            ),
            (
                "[[1], [2]]",
                "[[NaN], [0]]",
                "output_top_logprobs[0][0] must be a number from -10000 to 0, got nan; record",
            ),
            ("[[1], [2]]", "[[false], [0]]", "output_top_logprobs[0][0] must be a number from -10000 to 0, got False;"),
            ("[[1], [2, 3]]", "[[0], [0, 0]]", "output_top_ids[1] must be as long as output_top_ids[0], 1, got 2;"),
            ("[[1], [2]]", "[[0], [0, 0]]", "output_top_logprobs[1] must be as long as output_top_ids[0], 1, got 2;"),
        ]
    },
    '{"prompt_ids": [1], "output_ids": [], "prompt_top_ids": 1, "prompt_top_logprobs": []}': "of prompt_ids, got 1;",
    '{"prompt_ids": [1], "output_ids": [1], "segment": 3}': "segment must be text, got 3; name it, or leave it out",
}


@pytest.mark.parametrize(("line", "expected"), BAD_LINES.items())
def test_a_bad_row_is_named_by_file_and_line_with_the_rule_and_the_value(
    tmp_path: Path, line: str, expected: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt_ids": [1], "output_ids": [1]}\n\n' + line + "\n")
    with pytest.raises(TraceError) as caught:
        list(read_traces(path, Characters()))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert expected in str(caught.value)


def test_what_a_model_held_for_likely_is_read_beside_its_tokens(tmp_path: Path) -> None:
    row = {
        "prompt_ids": [5, 6, 7],
        "output_ids": [1, 2],
        "output_top_ids": [[1, 3], [2, 4]],
        "output_top_logprobs": [[0, -3.5], [-0.25, -2]],
        "prompt_top_ids": [[], [], []],
        "prompt_top_logprobs": [[], [], []],
    }
    [read] = read_traces(write(tmp_path / "rows.jsonl", [row]))
    assert read.output_top is not None
    assert read.prompt_top is not None
    assert [[1, 3], [2, 4]] == read.output_top.ids.tolist()
    assert [[0.0, -3.5], [-0.25, -2.0]] == read.output_top.logprobs.tolist()
    assert (3, 0) == read.prompt_top.ids.shape == read.prompt_top.logprobs.shape
    [bare] = read_traces(write(tmp_path / "bare.jsonl", [{"prompt_ids": [], "output_ids": []}]))
    assert bare.output_top is bare.prompt_top is None


def test_a_long_value_is_quoted_in_part(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"prompt": ["long"] * 1000, "output": ""}])
    with pytest.raises(TraceError) as caught:
        list(read_traces(path, Characters()))
    assert len(str(caught.value)) < len(str(path)) + 250


def test_text_without_a_tokenizer_says_how_to_name_one(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"prompt": "a", "output": "b"}])
    with pytest.raises(TraceError, match=r"rows.jsonl:1: a row of text needs a tokenizer, got none; pass --tokenizer"):
        list(read_traces(path))


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:30] + b"\xff" * 20 + data[50:]])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, damage: Any) -> None:
    path = write(tmp_path / "rows.jsonl.gz", [{"prompt_ids": [1], "output_ids": [number]} for number in range(500)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TraceError, match=r"rows.jsonl.gz:\d+: "):
        list(read_traces(path))


def test_an_unknown_tokenizer_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(OSError, match=r"a tokenizer must be 'tekken', 'pico', or a path .*, got './nowhere'"):
        load_tokenizer("./nowhere")


def test_tekken_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("mistral_common")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "mistral_common", None)
    with pytest.raises(
        ImportError, match=r"tokenizer='tekken' needs mistral-common: pip install 'ngramspec\[tekken\]'"
    ):
        load_tokenizer("tekken")


FIGURES = {
    "requests",
    "tokens",
    "target_passes",
    "num_draft_tokens",
    "num_accepted_tokens",
    "acceptance_rate",
    "tokens_per_pass",
    "us_per_token",
    "prompt_tokens",
    "us_per_prompt_token",
}
ROWS = [
    {"prompt_ids": [1, 2, 3, 4, 5], "output_ids": [1, 2, 3, 9, 4, 5], "segment": "edit"},
    {"prompt_ids": [1, 2, 3], "output_ids": [7, 8]},
]


def test_the_command_prints_one_json_object(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.jsonl", ROWS[:1]), write(tmp_path / "b.jsonl.gz", ROWS[1:])]
    result = CliRunner().invoke(app, ["replay", *map(str, paths), "--json"])
    assert 0 == result.exit_code
    printed = json.loads(result.stdout)
    assert {"total", "segments", "num_degenerate_loops"} == set(printed)
    assert FIGURES == set(printed["total"]) == set(printed["segments"]["edit"])
    assert (2, 6, 4) == tuple(printed["total"][key] for key in ("requests", "tokens", "target_passes"))
    assert ["edit"] == list(printed["segments"])


def test_the_command_prints_a_table_by_segment(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(write(tmp_path / "rows.jsonl", ROWS))])
    assert 0 == result.exit_code
    rows = {words[0]: words[1:] for line in result.stdout.splitlines() if (words := line.split())}
    assert ["1", "5", "3", "4", "2", "0.50", "1.67"] == rows["edit"][:-1]
    assert ["2", "6", "4", "4", "2", "0.50", "1.50"] == rows["total"][:-1]


def test_the_longest_draft_can_be_chosen(tmp_path: Path) -> None:
    path = str(write(tmp_path / "rows.jsonl", ROWS))
    result = CliRunner().invoke(app, ["replay", path, "--max-draft-tokens", "0", "--json"])
    assert 6 == json.loads(result.stdout)["total"]["target_passes"]


def test_a_failure_is_one_line_on_stderr_and_nothing_half_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = write(tmp_path / "rows.jsonl", [*ROWS, {"prompt_ids": [1]}])
    for path, expected in ((bad, f"ngramspec: {bad}:3: a row must have"), (tmp_path / "none", "No such file")):
        monkeypatch.setattr(sys, "argv", ["ngramspec", "replay", str(path)])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert 2 == caught.value.code
        assert "" == printed.out
        assert expected in printed.err
        assert 1 == printed.err.count("\n")


def test_replaying_imports_no_torch(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS)
    program = (
        "import sys; from ngramspec.cli import app;"
        f"app(['replay', {str(path)!r}], standalone_mode=False);"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert 0 == subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False).returncode


@pytest.mark.skipif(not SHARED_TRACES.is_dir(), reason="the shared traces are not here")
def test_on_recorded_traffic_drafts_are_accepted() -> None:
    pytest.importorskip("mistral_common")
    tokenizer = load_tokenizer("tekken")
    traces = read_traces(SHARED_TRACES / "aider_swebench.jsonl.gz", tokenizer)
    report: Report = replay((row for row, _ in zip(traces, range(3), strict=False)), PromptLookup())
    assert 3 == report.total.counters.requests
    assert report.total.counters.tokens_per_pass > 1.5


def test_a_prompt_that_an_encoder_reads_is_copied_from_like_any_other() -> None:
    traces = [trace(range(50), [20, *range(21, 40)], "summary"), trace([5, 6, 7], [5, 6, 7, 5, 6, 7, 5, 6, 7])]
    reports = {prompt_as: replay(traces, PromptLookup(), prompt_as=prompt_as) for prompt_as in PromptAs}
    passes = {prompt_as: report.total.counters.target_passes for prompt_as, report in reports.items()}
    assert passes[PromptAs.CONTEXT] == passes[PromptAs.REFERENCE] < passes[PromptAs.NOTHING]
    assert [19 + 8] * 3 == [report.total.counters.tokens for report in reports.values()]
    assert 19 == reports[PromptAs.NOTHING].segments["summary"].counters.target_passes  # no token repeats


def test_a_prompt_may_be_replayed_as_an_encoders(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"prompt_ids": list(range(30)), "output_ids": list(range(9, 25))}])
    figures = []
    for prompt_as in ("reference", "nothing"):
        result = CliRunner().invoke(app, ["replay", str(path), "--prompt-as", prompt_as, "--json"])
        figures.append(json.loads(result.stdout)["total"]["tokens_per_pass"])
    assert [7.5, 1.0] == figures


def test_a_replay_by_cost_says_what_its_passes_would_bring(tmp_path: Path) -> None:
    row = {"prompt_ids": [1, 2, 3], "output_ids": [4, 5, 6, 7, 8, 9], "segment": "a"}
    path = write(tmp_path / "traces.jsonl", [row] * 20)
    printed = CliRunner().invoke(app, ["replay", str(path), "--cost", "h100-8b", "--batch", "8", "--json"])
    assert 0 == printed.exit_code
    report = json.loads(printed.stdout)
    total = report["total"]
    per_pass = total["tokens"] / total["target_passes"], total["num_draft_tokens"] / total["target_passes"]
    cost = [7.09e-3 + tokens * 21.01e-6 for tokens in (8, 8 * (1 + per_pass[1]))]
    assert report["modelled_speedup"] == pytest.approx(per_pass[0] * cost[0] / cost[1])
    assert report["modelled_speedup"] > 2  # the same answer again and again, and a history of it


def test_nothing_is_drafted_where_a_token_costs_a_whole_pass() -> None:
    rows = [trace([1, 2, 3], [1, 2, 3] * 20, "a")] * 5
    report = replay(rows, AdaptiveLookup(), budget=AdaptiveBudget(), costs=LinearCosts(0.0, 1.0))
    assert 0 == report.total.counters.num_draft_tokens
