"""The prompt of a chat: its messages, rendered by a chat template."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ngramspec.errors import shortened
from ngramspec.serve.text.call_forms import CallForm, call_form
from ngramspec.serve.text.parts import CLOSING, OPENING
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.requests import TextPart
from ngramspec.serve.wire.tools import Tool, ToolCall
from ngramspec.serve.wire.turns import Message

PICO_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.content }}\n"
    "{% if message.role == 'user' %}### answer\n{% endif %}{% endfor %}"
)
"""pico's tasks have no turns: the user's text is the task, and the answer follows."""


_BROKEN = f"\n{OPENING}"
"""The opening in templates with a line break before reasoning. If the prompt lacks it, the model writes it (GLM 4.6).
"""


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A prompt, and what may follow it.

    form: of calls of functions, None where the answer has none. opening: what reasoning begins with, "" for a model
    that never reasons. is_reasoning: whether the prompt has opened it; has_reasoned: whether it has closed it, too.
    """

    text: str
    form: CallForm | None
    opening: str
    is_reasoning: bool
    has_reasoned: bool

    @property
    def may_reason(self) -> bool:
        """Whether answers may begin with reasoning."""
        return bool(self.opening)

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that part the answer, of which some may be special tokens."""
        of_calls = () if self.form is None else self.form.markers
        return (*of_calls, OPENING, CLOSING) if self.may_reason else of_calls


def chat_prompt(
    messages: Sequence[Message],
    tokenizer: Any,
    template: str | None,
    *,
    tools: Sequence[Tool] = (),
    switches: Mapping[str, bool] = MappingProxyType({}),
    effort: str | None = None,
    effort_param: str = "reasoning_effort",
) -> ChatPrompt:
    """The prompt that the model continues; template: used instead of the tokenizer's own.

    tools: those that the answer may call. switches: further variables of the template, which it must know. effort:
    OpenAI's name for how long the model reasons; effort_param: the field with it.
    Raises ApiError if there is no template, or if it cannot render these messages.
    """
    source = _source(tokenizer, template, has_tools=bool(tools))
    form = call_form(source) if tools else None
    for name in switches:
        if not _knows(source, name):
            raise invalid(
                f"chat_template_kwargs must be variables of the model's chat template, got {name}: leave it out",
                param=f"chat_template_kwargs.{name}",
            )
    variables = {**({} if effort is None else _effort(effort, source, effort_param)), **switches}
    text = _rendered(messages, tokenizer, template, tools, variables)
    may_reason, end = CLOSING in source, text.rstrip()
    is_reasoning, has_reasoned = may_reason and end.endswith(OPENING), may_reason and end.endswith(CLOSING)
    opening = OPENING if may_reason else ""
    if may_reason and not is_reasoning and not has_reasoned and end == text and _BROKEN in source.replace("\\n", "\n"):
        opening = _BROKEN
    return ChatPrompt(text, form, opening, is_reasoning, has_reasoned)


def _source(tokenizer: Any, template: str | None, *, has_tools: bool) -> str:
    """The text of the template."""
    if template is not None:
        return template
    own = tokenizer.chat_template
    if own is None:
        raise invalid(
            "a chat needs a model with a chat template, got one without: use /v1/completions, or start the service with"
            " --chat-template",
            param="messages",
        )
    source: str = tokenizer.get_chat_template(tools=[{}] if has_tools else None)
    return source


def _effort(effort: str, source: str, param: str) -> dict[str, Any]:
    """An effort as variables of the template: its own variable for it, or the switch for reasoning."""
    if _knows(source, "reasoning_effort"):
        return {"reasoning_effort": effort}
    if effort == "none" and CLOSING not in source:
        return {}
    if effort == "none" and _knows(source, "enable_thinking"):
        return {"enable_thinking": False}
    raise invalid(
        f"{param} must be one that the model's chat template knows, got {effort!r}: bound its reasoning by"
        " thinking_token_budget, or leave it out",
        param=param,
    )


def _knows(source: str, variable: str) -> bool:
    """Whether a template names a variable."""
    return re.search(rf"\b{variable}\b", source) is not None


def _rendered(
    messages: Sequence[Message],
    tokenizer: Any,
    template: str | None,
    tools: Sequence[Tool],
    variables: Mapping[str, Any],
) -> str:
    called = _called(messages)
    try:
        text: str = tokenizer.apply_chat_template(
            [_as_templates_read(message, called) for message in messages],
            chat_template=template,
            tools=[tool.model_dump(exclude_none=True) for tool in tools] or None,
            tokenize=False,
            add_generation_prompt=True,
            **variables,
        )
    except Exception as error:  # a template is a program: bad input may raise any error of Python's
        raise invalid(
            f"messages must be what the model's chat template takes, got: {shortened(str(error), 300)}: change their"
            " roles, their order or their content",
            param="messages",
        ) from error
    return text


def _called(messages: Sequence[Message]) -> dict[str, str]:
    """The names of all called functions, by the call's id."""
    calls = (call for message in messages for call in message.tool_calls or ())
    return {call.id: call.function.name for call in calls}


def _as_templates_read(message: Message, called: Mapping[str, str]) -> Mapping[str, Any]:
    """A message as templates expect it. called: function names by call id; some templates want them in results."""
    # Templates predate the developer role; OpenAI's models treat it as the system role.
    role = "system" if message.role == "developer" else message.role
    optional = {
        "name": message.name or called.get(message.tool_call_id or ""),
        "reasoning_content": message.reasoning_content,
        "tool_call_id": message.tool_call_id,
        "tool_calls": [_call_as_templates_read(call) for call in message.tool_calls or ()] or None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return {"role": role, "content": text_of_content(message.content or ""), **given}


def _call_as_templates_read(call: ToolCall) -> Mapping[str, Any]:
    """A call as templates expect it: its arguments are an object, not a text."""
    function = {"name": call.function.name, "arguments": json.loads(call.function.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def text_of_content(content: str | list[TextPart]) -> str:
    """A content in parts as one text, a line per part."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content)
