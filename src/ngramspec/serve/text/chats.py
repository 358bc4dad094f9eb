"""The prompt of a chat: its messages, put through a chat template."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from ngramspec.errors import shortened
from ngramspec.serve.wire.errors import invalid
from ngramspec.serve.wire.requests import Message, TextPart

PICO_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.content }}\n"
    "{% if message.role == 'user' %}### answer\n{% endif %}{% endfor %}"
)
"""pico's tasks have no turns: what the user says is the task, and its answer follows."""


def prompt_of(messages: Sequence[Message], tokenizer: Any, template: str | None) -> str:
    """The text that the model continues; template: instead of the tokenizer's own.

    Raises ApiError where there is no template, or where it cannot take these messages.
    """
    if template is None and tokenizer.chat_template is None:
        raise invalid(
            "a chat needs a model with a chat template, got one without: use /v1/completions, or start the service with"
            " --chat-template",
            param="messages",
        )
    try:
        text: str = tokenizer.apply_chat_template(
            [_as_templates_read(message) for message in messages],
            chat_template=template,
            tokenize=False,
            add_generation_prompt=True,
        )
    except TemplateError as error:
        raise invalid(
            f"messages must be what the model's chat template takes, got: {shortened(str(error), 300)}",
            param="messages",
        ) from error
    return text


def _as_templates_read(message: Message) -> Mapping[str, str]:
    # Templates are older than the developer's role; OpenAI's models take it for the system's.
    role = "system" if message.role == "developer" else message.role
    named = {} if message.name is None else {"name": message.name}
    return {"role": role, "content": text_of_content(message.content), **named}


def text_of_content(content: str | list[TextPart]) -> str:
    """A content in parts, as one text: a line for each."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content)
