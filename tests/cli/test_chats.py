"""Chat logs in the format of OpenAI's API, rendered by the tokenizer's own chat template."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ngramspec.errors import TraceError
from ngramspec.replay import load_tokenizer, read_traces
from ngramspec.replay.chats import Chat, read_chat
from tests.cli.conftest import Command, save_tiny
from tests.cli.test_generate import plain
from tests.hf.tokenizers import EOS_TEXT

Write = Callable[[str, str], Path]

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}i{% else %}a{% endif %}{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function.name }}{{ call.function.arguments.b }}{% endfor %}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}j"
    "{% endfor %}{% if add_generation_prompt %}i{% endif %}"
)
CALL = {"id": "1", "type": "function", "function": {"name": "gh", "arguments": '{"b": "cd"}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "b"},
    {"role": "user", "content": [{"type": "text", "text": "cd"}, {"type": "text", "text": "cd"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "ee"},
    {"role": "assistant", "content": "dcdc"},
]
FIRST = ("abjacdcdji", "ghcd")
LAST = (f"abjacdcdjighcd{EOS_TEXT}jaeeji", "dcdc")


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, whose tokenizer has a chat template that writes tool calls, and text after an answer's end."""
    folder = save_tiny(tmp_path_factory.mktemp("chatty"))
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": TEMPLATE}))
    return folder


def line(**more: Any) -> str:
    return json.dumps({"messages": MESSAGES, **more}) + "\n"


@pytest.mark.parametrize(("every_answer", "turns"), [(False, [LAST]), (True, [FIRST, LAST])])
def test_an_answer_is_the_output_and_the_messages_before_it_are_the_prompt(
    chatty: Path, write: Write, every_answer: bool, turns: list[tuple[str, str]]
) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(chatty)
    file = write("log.jsonl", line(segment="chat"))
    traces = list(read_traces(file, load_tokenizer(str(chatty)), every_answer=every_answer))
    assert ["chat"] * len(turns) == [trace.segment for trace in traces]
    expected = [
        (tokenizer.encode(prompt, add_special_tokens=False), [*tokenizer.encode(output, add_special_tokens=False), 1])
        for prompt, output in turns
    ]
    assert tokenizer.eos_token_id == 1
    assert expected == [(trace.prompt.tolist(), trace.output.tolist()) for trace in traces]


def test_the_command_replays_them_from_standard_input(
    run: Command, chatty: Path, monkeypatch: pytest.MonkeyPatch, stdin: Callable[[str], None]
) -> None:
    stdin(line() + line())
    figures = json.loads(run("replay", "-", "--tokenizer", chatty, "--every-answer", "--json").output)
    assert (4, 2 * (4 + 4)) == (figures["total"]["requests"], figures["total"]["tokens"])
    stdin(line())
    assert 1 == json.loads(run("replay", "-", "--tokenizer", chatty, "--json").output)["total"]["requests"]


class Reasoning:
    """A template that opens the reasoning of an answer, which logs leave out."""

    chat_template = ""

    def apply_chat_template(
        self, messages: list[dict[str, str]], tools: Any, *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        text = "".join(f"<{message['role']}>\n{message['content']}\n" for message in messages)
        return text + ("<assistant>\n<think>\n" if add_generation_prompt else "")


@pytest.mark.parametrize("content", ["hello", "<tool_call>x", "<think>\n</think>hello"])
def test_an_answer_begins_where_the_template_has_opened_it_whether_it_reasons_or_not(content: str) -> None:
    chat = read_chat({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]}, "x")
    prompt, output = chat.turn(Reasoning(), 1)
    assert "<user>\nhi\n<assistant>\n<think>\n" == prompt
    assert content.removeprefix("<think>\n") == output


def test_a_prompt_that_a_later_answer_changes_cannot_be_replayed() -> None:
    class Forgetful(Reasoning):
        def apply_chat_template(self, messages: list[dict[str, str]], *more: Any, **options: Any) -> str:
            return super().apply_chat_template(messages[-1:], *more, **options)

    chat = Chat([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}], None, "log:1")
    with pytest.raises(TraceError, match=r"log:1: an answer must follow its prompt.* of message 1 differently"):
        chat.turn(Forgetful(), 1)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages must be a list of at least one message, got []"),
    ({"messages": "hi"}, "messages must be a list of at least one message, got 'hi'"),
    ({"messages": [{"content": "a"}]}, "messages[0] must be {\"role\": text, \"content\": text}, got {'content': 'a'}"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content must be a list, got 5"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content must be text, or parts such as",
    ),
    ({"messages": [{"role": "assistant", "content": "", "tool_calls": 5}]}, "messages[0].tool_calls must be a list"),
    ({"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}, 'tool_calls must hold {"function": {'),
    ({"messages": [{"role": "user", "content": "a"}], "tools": 5}, "tools must be a list, got 5"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages must be valid Unicode"),
    ({"messages": [{"role": "user", "content": "a"}]}, "messages must include one of the assistant's, which is the"),
]


@pytest.mark.parametrize(("row", "message"), BAD)
def test_malformed_messages_are_named_by_their_origin(
    chatty: Path, write: Write, row: dict[str, Any], message: str
) -> None:
    file = write("log.jsonl", "\n" + json.dumps(row))
    with pytest.raises(TraceError) as caught:
        list(read_traces(file, load_tokenizer(str(chatty))))
    assert str(caught.value).startswith(f"{file}:2: ")
    assert message in str(caught.value)


def test_a_template_that_leaves_calls_out_is_not_the_recorded_models(write: Write, tmp_path: Path) -> None:
    other = save_tiny(tmp_path / "other", chat=True)
    with pytest.raises(TraceError, match=r"the chat template must write tool calls, got none of 'gh'"):
        list(read_traces(write("log.jsonl", line()), load_tokenizer(str(other))))


def test_a_template_that_refuses_a_role_is_heard(write: Write, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "strict")
    config = folder / "tokenizer_config.json"
    strict = {"chat_template": "{{ raise_exception('no such role') }}"}
    config.write_text(json.dumps(json.loads(config.read_text()) | strict))
    with pytest.raises(TraceError, match=r"must be valid for the tokenizer's chat template, got: no such role"):
        list(read_traces(write("log.jsonl", line()), load_tokenizer(str(folder))))


@pytest.mark.parametrize("name", ["tekken", "pico", None])
def test_without_a_template_a_chat_is_no_text(write: Write, name: str | None) -> None:
    tokenizer = None if name is None else load_tokenizer(name)
    with pytest.raises(TraceError, match="messages need a tokenizer with a chat template, got"):
        list(read_traces(write("log.jsonl", line()), tokenizer))


def test_generate_answers_what_is_open_and_writes_a_log_that_can_be_replayed(
    run: Command, chatty: Path, write: Write
) -> None:
    file = write("log.jsonl", line() + json.dumps({"messages": MESSAGES[:2]}) + "\n")
    outcome = run("generate", "--model", chatty, "--prompt-file", file, "--max-new-tokens", 8, "--batch", 2)
    assert outcome.code == 0, outcome.errors
    answers = [plain(chatty, prompt, 8) for prompt in (LAST[0], FIRST[0])]
    assert answers == [row["messages"][-1]["content"] for row in outcome.lines]
    assert [["system", "user", "assistant", "tool", "assistant"], ["system", "user", "assistant"]] == [
        [message["role"] for message in row["messages"]] for row in outcome.lines
    ]
    again = run("replay", write("made.jsonl", outcome.output), "--tokenizer", chatty, "--json")
    assert 2 == json.loads(again.output)["total"]["requests"]


def test_check_reads_them_too(run: Command, chatty: Path, write: Write) -> None:
    file = write("log.jsonl", line())
    outcome = run("check", "--model", chatty, "--prompts", file, "--max-new-tokens", 8, "--batch", 1)
    assert outcome.code == 0, outcome.errors
