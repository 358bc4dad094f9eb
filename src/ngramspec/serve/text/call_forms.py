"""How models write function calls, by family. A model's chat template tells which form it writes."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from ngramspec.serve.wire.errors import invalid


class CallLayout(Enum):
    """How calls are laid out: each between markers; all in a list after a marker; one alone; each after a marker and
    its name."""

    EACH = auto()
    LIST = auto()
    ALONE = auto()
    NAMED = auto()


@dataclass(frozen=True, slots=True)
class CallForm:
    """A call is a JSON object with the function's name, and its arguments under the key `arguments`.

    opening, closing: the markers around it, "" for none. A call without an opening is the whole answer.
    In the layout NAMED it is the name, `before_arguments` and the arguments; `before_id` and an id may follow the name.
    """

    layout: CallLayout
    opening: str = ""
    closing: str = ""
    arguments: str = "arguments"
    before_id: str = ""
    before_arguments: str = ""

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers that are not empty."""
        return tuple(filter(None, (self.opening, self.closing, self.before_id, self.before_arguments)))


HERMES = CallForm(CallLayout.EACH, "<tool_call>", "</tool_call>")
"""Nous Hermes 2 Pro and 3, Qwen 2.5 and 3, SmolLM3, Granite 4: a call or several, each between markers."""

MISTRAL = CallForm(CallLayout.LIST, "[TOOL_CALLS]")
"""Mistral up to its tokenizer v7: one list of calls."""

MISTRAL_IDS = CallForm(CallLayout.NAMED, "[TOOL_CALLS]", before_id="[CALL_ID]", before_arguments="[ARGS]")
"""Mistral Small 3.2 (tokenizer v11): each call is a name, an id and arguments, after markers."""

MISTRAL_NAMED = CallForm(CallLayout.NAMED, "[TOOL_CALLS]", before_arguments="[ARGS]")
"""Mistral from its tokenizer v13 on (Devstral Small 1.1, Ministral 3): without ids."""

LLAMA = CallForm(CallLayout.ALONE, arguments="parameters")
"""Llama 3.1 to 3.3: the answer is a call, or text."""

_DESCRIPTIONS = (
    (HERMES, r'<tool_call>\s*\{"name"', ("<function=", "<arg_key>")),
    (MISTRAL_IDS, r"\[CALL_ID\].*\[ARGS\]", ()),
    (MISTRAL_NAMED, r"\[TOOL_CALLS\].*\[ARGS\]", ()),
    (MISTRAL, r"\[TOOL_CALLS\] ?\[", ()),
    (LLAMA, r'\{"name": function name, "parameters": dictionary of argument name', ()),
)
"""A form, a regex for its description in a template, and texts in templates that use its marker for another form."""


_BETWEEN_TEXTS = re.compile(r"""["']\s*-?\}\}\s*\{\{-?\s*["']""")
"""The code of a template between two texts that it writes one after the other."""


def call_form(template: str) -> CallForm:
    """The form that the authors of `template` describe to their model.

    Raises ApiError for a template without a form, or with an unknown one.
    """
    written = _BETWEEN_TEXTS.sub("", template).replace("\\n", "\n").replace('\\"', '"')
    for form, description, others in _DESCRIPTIONS:
        if re.search(description, written, re.DOTALL) and not any(other in written for other in others):
            return form
    raise invalid(
        "tools need a chat template that writes calls as Hermes and Qwen 2.5 and 3, Mistral or Llama 3 do, got another:"
        " leave them out, or start the service with --chat-template",
        param="tools",
    )
