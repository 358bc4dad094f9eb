"""Arrival times of requests, and request logs of OpenAI's API: the body that was sent, and the one that came back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.errors import TraceError
from ngramspec.replay import Trace, read_traces
from ngramspec.replay.logs import is_log, row_of_log
from tests.cli.test_chats import LAST, MESSAGES, chatty  # noqa: F401 (a fixture)

ROW = {"prompt_ids": [1], "output_ids": [2]}
REQUEST = {"model": "m", "messages": MESSAGES[:-1], "temperature": 0}
RESPONSE = {"id": "chatcmpl-1", "created": 1_700_000_000, "choices": [{"index": 0, "message": MESSAGES[-1]}]}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "choices", "message", "created", "tools"]), inner, max_size=3)
    ),
)


def read(folder: Path, *rows: Any) -> list[Trace]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_traces(path))


def test_a_row_may_say_when_it_came(tmp_path: Path) -> None:
    found = read(tmp_path, ROW | {"arrival_s": 2.5}, ROW | {"arrival_s": 0}, ROW, ROW | {"arrival_s": None})
    assert [2.5, 0.0, None, None] == [trace.arrival_s for trace in found]


@pytest.mark.parametrize("wrong", [-1, "1", True, 1e13, float("nan"), float("inf"), [1]])
def test_a_time_that_is_none_is_refused_by_file_and_line(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(TraceError, match=r"rows\.jsonl:2: arrival_s must be a number from 0\.0 to 1\S+, got .*; write"):
        read(tmp_path, ROW, ROW | {"arrival_s": wrong})


def test_a_request_with_its_response_is_a_chat_that_ends_with_the_first_choice(
    chatty: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    from ngramspec.replay import load_tokenizer

    path = tmp_path / "log.jsonl"
    log = {"request": REQUEST, "response": RESPONSE, "segment": "chat"}
    path.write_text(json.dumps(log) + "\n" + json.dumps({"messages": MESSAGES}) + "\n")
    logged, chat = read_traces(path, load_tokenizer(str(chatty)))
    assert (chat.prompt.tolist(), chat.output.tolist()) == (logged.prompt.tolist(), logged.output.tolist())
    assert np.size(logged.output) > len(LAST[1])
    assert ("chat", 1_700_000_000.0) == (logged.segment, logged.arrival_s)


def test_the_time_and_the_tools_of_a_log_are_kept() -> None:
    row = {"request": REQUEST | {"tools": [1]}, "response": RESPONSE, "arrival_s": 3}
    assert {"messages": MESSAGES, "tools": [1], "arrival_s": 3} == row_of_log(row, "log:1")


@pytest.mark.parametrize("request_", [None, [], {}, {"messages": "a"}])
def test_a_request_without_messages_is_refused(tmp_path: Path, request_: object) -> None:
    with pytest.raises(TraceError, match=r"rows\.jsonl:1: request must be the body that was sent, .* log it as it was"):
        read(tmp_path, {"request": request_, "response": RESPONSE})


@pytest.mark.parametrize("response", [None, {}, {"choices": []}, {"choices": [1]}, {"choices": [{"message": "a"}]}])
def test_a_response_without_a_choice_is_refused(tmp_path: Path, response: object) -> None:
    with pytest.raises(TraceError, match=r"rows\.jsonl:1: response must be the body that came back, .* log it as it"):
        read(tmp_path, {"request": REQUEST, "response": response})


def test_rows_that_say_what_was_asked_are_no_logs() -> None:
    assert not any(is_log({"request": 1, "response": 2, key: 3}) for key in ("prompt", "prompt_ids", "messages"))


@given(ANYTHING, ANYTHING)
def test_any_bodies_are_read_or_refused_by_name(request_: object, response: object) -> None:
    read, refused = None, ""
    try:
        read = row_of_log({"request": request_, "response": response}, "log:1")
    except TraceError as error:
        refused = str(error)
    assert refused.startswith("log:1: re") if read is None else isinstance(read["messages"][-1], dict)
