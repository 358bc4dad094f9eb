"""How models write calls of functions, by family; which one a model writes is told by its chat template."""

from dataclasses import dataclass
from enum import Enum, auto

from ngramspec.serve.wire.errors import invalid


class Layout(Enum):
    """How calls follow each other: each between markers, all in a list after a marker, or one alone."""

    EACH = auto()
    LIST = auto()
    ALONE = auto()


@dataclass(frozen=True, slots=True)
class CallForm:
    """A call is a JSON object with the function's name, and its arguments under the key `arguments`.

    opening, closing: the markers around it, "" for none. A call without an opening is the whole answer.
    """

    layout: Layout
    opening: str = ""
    closing: str = ""
    arguments: str = "arguments"

    @property
    def markers(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(marker for marker in (self.opening, self.closing) if marker)


HERMES = CallForm(Layout.EACH, "<tool_call>", "</tool_call>")
"""Nous Hermes 2 Pro, Qwen 2.5 and 3, SmolLM3: a call or several, each between markers."""

MISTRAL = CallForm(Layout.LIST, "[TOOL_CALLS]")
"""Mistral up to its tokenizer v7: one list of calls."""

LLAMA = CallForm(Layout.ALONE, arguments="parameters")
"""Llama 3.1 to 3.3: the answer is a call, or text."""

_TOLD_BY = (
    (HERMES, HERMES.opening, ("<function=", "<arg_key>")),
    (MISTRAL, MISTRAL.opening, ("[ARGS]", "[CALL_ID]")),
    (LLAMA, '"parameters": dictionary of argument name', ()),
)
"""What a template has that describes a form, and what it has where the same marker belongs to another."""


def call_form(template: str) -> CallForm:
    """The form that the authors of `template` describe to their model.

    Raises ApiError for a template that has none, or one that is not known here.
    """
    for form, told, others in _TOLD_BY:
        if told in template and not any(other in template for other in others):
            return form
    raise invalid(
        "tools need a chat template that writes calls as Hermes and Qwen, Mistral (up to tokenizer v7) or Llama 3 do,"
        " got another: leave them out, or start the service with --chat-template",
        param="tools",
    )
