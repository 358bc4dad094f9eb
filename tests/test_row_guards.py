"""Rows that name a schema, in requests, in logs of OpenAI's API, and results of vLLM's benchmark."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.errors import TraceError
from ngramspec.guards import Vocabulary
from ngramspec.replay import RowGuards, Trace, read_traces
from ngramspec.replay.logs import row_of_log
from ngramspec.replay.row_guards import MOST_SCHEMAS
from ngramspec.replay.vllm_results import MOST_PROMPT_TOKENS, is_result, requests_of
from tests.cli.conftest import (
    Command,
    run,  # noqa: F401 (a fixture)
)

BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
SCHEMA = {
    "type": "object",
    "properties": {"customer_name": {"type": "string"}, "delivery_city": {"type": "string"}},
    "required": ["customer_name", "delivery_city"],
    "additionalProperties": False,
}
ANSWER = '{"customer_name": "Ada", "delivery_city": "Rome"}'


class Letters:
    """A tokenizer of bytes."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


def read(folder: Path, *rows: Any, guards: RowGuards | None = None) -> list[Trace]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_traces(path, Letters(), guards=guards))


def test_a_row_that_names_a_schema_has_its_guard_and_equal_schemas_share_one(tmp_path: Path) -> None:
    row = {"prompt": "Ada, Rome", "output": ANSWER}
    guards = RowGuards(BYTES)
    rows = [row | {"schema": SCHEMA}, row | {"schema": json.dumps(SCHEMA)}, row]
    first, second, third = read(tmp_path, *rows, guards=guards)
    assert first.guard is not None
    assert first.guard is second.guard
    assert first.guard.accepts(ANSWER)
    assert third.guard is None
    assert [None] * 3 == [trace.guard for trace in read(tmp_path, *rows)]
    assert 0 == guards.num_unfit


def test_an_answer_that_does_not_fit_has_no_guard_and_is_counted_and_one_that_was_cut_short_fits(
    tmp_path: Path,
) -> None:
    guards, row = RowGuards(BYTES), {"prompt": "", "schema": SCHEMA}
    found = read(tmp_path, row | {"output": ANSWER[:30]}, row | {"output": "I would rather not"}, guards=guards)
    assert [True, False] == [trace.guard is not None for trace in found]
    assert 1 == guards.num_unfit


def test_schemas_that_cannot_be_enforced_or_are_too_many_are_refused_by_file_and_line(tmp_path: Path) -> None:
    row = {"prompt": "", "output": "1"}
    for wrong in ({"type": "nothing"}, "{", 7, ["a"]):
        with pytest.raises(TraceError, match=r"jsonl:2: schema must be one that a guard enforces, got .*; correct"):
            read(tmp_path, row, row | {"schema": wrong}, guards=RowGuards(BYTES))
    with pytest.raises(TraceError, match=r"rows\.jsonl:1: a row with a schema needs a tokenizer, got none; pass"):
        read(tmp_path, row | {"schema": {}}, guards=RowGuards(None))
    many = RowGuards(BYTES)
    many._guards.update({str(number): many._compiled("{}", "here") for number in range(MOST_SCHEMAS - 1)})
    with pytest.raises(TraceError, match="at most 1000 different schemas, got more"):
        many.of({"schema": True}, np.array([49], np.int32), "here")


def test_a_log_of_completions_is_a_prompt_and_its_output_and_its_form_is_the_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    request, response = {"prompt": "a", "response_format": form}, {"choices": [{"text": "b"}], "created": 5}
    expected = {"segment": "s", "prompt": "a", "output": "b", "arrival_s": 5, "schema": SCHEMA}
    assert expected == row_of_log({"request": request, "response": response, "segment": "s"}, "here")
    wrapped = {"request": {"body": request}, "response": {"status_code": 200, "body": response}, "segment": "s"}
    assert expected == row_of_log(wrapped, "here")
    for other in ({"type": "json_object"}, {"type": "json_schema"}, None, 7):
        assert "schema" not in row_of_log(
            {"request": {"prompt": "a", "response_format": other}, "response": response}, "here"
        )


@pytest.mark.parametrize("response", [{"choices": [{"message": {}}]}, {"choices": [{"text": None}]}, {"choices": []}])
def test_a_response_that_does_not_answer_its_prompt_is_refused(response: object) -> None:
    with pytest.raises(TraceError, match="here: response must be the body that came back"):
        row_of_log({"request": {"prompt": "a"}, "response": response}, "here")


def result(texts: list[str], lengths: list[int], times: list[float] | None = None) -> dict[str, Any]:
    return {"backend": "vllm", "generated_texts": texts, "input_lens": lengths} | (
        {} if times is None else {"start_times": times}
    )


def test_a_result_of_vllms_benchmark_is_all_its_requests_with_prompts_that_nothing_is_copied_from(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, result(["ab", ""], [3, 2], [10.5, 11.0]) | {"segment": "chat"}, result(["c"], [0]))
    assert [[97, 98], [], [99]] == [trace.output.tolist() for trace in found]
    assert [3, 2, 0] == [trace.prompt.size for trace in found]
    assert [10.5, 11.0, None] == [trace.arrival_s for trace in found]
    assert ["chat", "chat", None] == [trace.segment for trace in found]
    assert all(np.unique(trace.prompt).size == trace.prompt.size for trace in found)
    assert min(found[0].prompt) > 1 << 30


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (result(["a"], []), "must be equally long, got 1, 0 and none; save"),
        (result(["a"], [1], [1.0, 2.0]), "must be equally long, got 1, 1 and 2; save"),
        (result(["a"], [1]) | {"start_times": 5}, "must be lists, got"),
        (result(["a"], [-1]), r"input_lens\[0\] must be a whole number from 0 to 67108864, got -1; save"),
        (
            result(["a"] * 2, [MOST_PROMPT_TOKENS, 1]),
            r"input_lens\[1\] must be a whole number from 0 to 0, got 1; save",
        ),
        (result([None], [1]), r"generated_texts\[0\] must be text, got None; save"),  # type: ignore[list-item]
        (result(["a"], [1], [float("nan")]), r"start_times\[0\] must be a number from 0\.0 to .*, got nan; save"),
    ],
)
def test_a_result_whose_lists_do_not_belong_together_is_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(TraceError, match=rf"here: .*{says}"):
        list(requests_of(row, "here"))


ANYTHING = st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=3), st.lists, max_leaves=5)


@given(st.dictionaries(st.sampled_from(["generated_texts", "input_lens", "start_times"]), ANYTHING))
def test_any_object_is_a_result_or_refused(row: dict[str, Any]) -> None:
    if is_result(row):
        try:
            found = list(requests_of(row, "here"))
        except TraceError:
            return
        assert len(row["generated_texts"]) == len(found)


def test_simulate_steers_rows_by_their_schemas(run: Command, tmp_path: Path) -> None:  # noqa: F811
    names = ("Ada", "Bo", "Cy", "Di", "Ed", "Flo")
    rows = [{"prompt": f"{name} of Rome", "output": ANSWER.replace("Ada", name), "segment": name} for name in names]
    plain, guarded = tmp_path / "plain.jsonl", tmp_path / "guarded.jsonl"
    plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    guarded.write_text(
        "".join(json.dumps(row | {"schema": SCHEMA}) + "\n" for row in [*rows, rows[0] | {"output": "x"}])
    )
    passes = []
    for path in (plain, guarded):
        outcome = run("simulate", path, "--tokenizer", "pico", "--concurrency", "1", "--json")
        assert outcome.code == 0, outcome.errors
        found = json.loads(outcome.output)
        passes.append(found["runs"][0]["total"]["on"]["target_passes"])
    assert passes[1] < passes[0] / 2
    assert any(
        line.startswith("6 requests under a schema, steered by it.") and "1 answers do not fit" in line
        for line in found["about"]
    )
