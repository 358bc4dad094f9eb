"""Chat logs in the format of OpenAI's API, rendered by a tokenizer's chat template."""

import json
import re
from dataclasses import dataclass
from typing import Any

from ngramspec.errors import TraceError, shortened

Message = dict[str, Any]
_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
SURROGATE = re.compile("[\ud800-\udfff]")
"""Matches an unpaired surrogate, which JSON can spell."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat: `messages` with content as text and tool arguments as objects, `tools` as offered to the model."""

    messages: list[Message]
    tools: list[Any] | None
    where: str

    @property
    def answers(self) -> list[int]:
        """Indices of the assistant's messages that answer something."""
        return [index for index, message in enumerate(self.messages) if index and message["role"] == "assistant"]

    def before(self, end: int) -> "Chat":
        """The chat before message `end`."""
        return Chat(self.messages[:end], self.tools, self.where)

    def open(self) -> "Chat":
        """The chat up to the answer: without the last message if that is an answer."""
        return self.before(-1) if self.messages[-1]["role"] == "assistant" and len(self.messages) > 1 else self

    def rendered(self, tokenizer: Any, *, answering: bool = True) -> str:
        """The text that the model reads; answering: add the header of its answer. Raises TraceError."""
        if tokenizer.chat_template is None:
            raise TraceError(
                f"{self.where}: messages need a tokenizer with a chat template, got one without: name another"
            )
        try:
            text = tokenizer.apply_chat_template(
                self.messages, tools=self.tools, tokenize=False, add_generation_prompt=answering
            )
        except Exception as error:  # a third-party template, run on third-party messages
            raise TraceError(
                f"{self.where}: messages must be valid for the tokenizer's chat template, got: {error};"
                " correct them, or leave the row out"
            ) from error
        assert isinstance(text, str)
        called = [call["function"]["name"] for message in self.messages for call in message.get("tool_calls", ())]
        missing = next((name for name in called if name not in text), None)
        if missing is not None:
            raise TraceError(
                f"{self.where}: the chat template must write tool calls, got none of {shortened(missing)}:"
                " name the tokenizer of the recorded model"
            )
        return text

    def turn(self, tokenizer: Any, answer: int) -> tuple[str, str]:
        """The prompt and the output of message `answer`, as the template writes it, without the answer's header."""
        prompt = self.before(answer)
        whole, opened = self.before(answer + 1).rendered(tokenizer, answering=False), prompt.rendered(tokenizer)
        if whole.startswith(opened):
            return opened, whole[len(opened) :].rstrip()
        # The header of an answer may also open its reasoning, which a log leaves out.
        said = prompt.rendered(tokenizer, answering=False)
        start = len(said)
        for line in opened[start:].splitlines(keepends=True):
            if not whole.startswith(line, start):
                break
            start += len(line)
        if not whole.startswith(said) or start == len(said):
            raise TraceError(
                f"{self.where}: an answer must follow its prompt, but the chat template writes the prompt of"
                f" message {answer} differently once it is answered: record prompt and output instead"
            )
        return opened, whole[start:].rstrip()


def read_chat(row: dict[str, Any], where: str) -> Chat:
    """The chat of `{"messages": [{"role", "content", …}, …]}`. Raises TraceError for anything else."""
    messages, tools = row["messages"], row.get("tools")
    if not isinstance(messages, list) or not messages:
        raise TraceError(f"{where}: messages must be a list of at least one message, got {shortened(messages)}")
    if not (tools is None or isinstance(tools, list)):
        raise TraceError(f"{where}: tools must be a list, got {shortened(tools)}; write them as they were sent")
    if SURROGATE.search(json.dumps(row, ensure_ascii=False)):
        raise TraceError(f"{where}: messages must be valid Unicode, got half a character: pair its surrogates")
    return Chat([_message(message, f"{where}: messages[{at}]") for at, message in enumerate(messages)], tools, where)


def _message(message: object, where: str) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise TraceError(f'{where} must be {{"role": text, "content": text}}, got {shortened(message)}')
    read = {**message, "content": _text(message.get("content"), f"{where}.content")}
    calls = message.get("tool_calls")
    if calls is None:
        read.pop("tool_calls", None)  # templates test whether it is present
    else:
        read["tool_calls"] = [_call(call, f"{where}.tool_calls") for call in _listed(calls, f"{where}.tool_calls")]
    return read


def _text(content: object, where: str) -> str:
    """A message's text, in one piece; null if the message is only a tool call."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    pieces = []
    for part in _listed(content, where):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("refusal" if kind == "refusal" else "text") if isinstance(part, dict) else None
        if kind not in _TEXT_PARTS or not isinstance(text, str):
            raise TraceError(f'{where} must be text, or parts such as {{"type": "text", "text": …}}, got'
                             f" {shortened(part)}: pictures and sound cannot be read as text")  # fmt: skip
        pieces.append(text)
    return "".join(pieces)


def _call(call: object, where: str) -> dict[str, Any]:
    """A call with its arguments as an object, which templates expect; OpenAI's API has them as text."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise TraceError(f'{where} must hold {{"function": {{"name": text, "arguments": …}}}}, got {shortened(call)}')
    arguments = function.get("arguments", {})
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:  # a model may have written invalid JSON; it is kept as it is
        read = arguments
    return {**call, "function": {**function, "arguments": read}}


def _listed(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TraceError(f"{where} must be a list, got {shortened(value)}")
    return value
