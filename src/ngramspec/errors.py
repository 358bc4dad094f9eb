"""Everything ngramspec raises on purpose.

NgramspecError
├── RefusedError       (also ValueError)   this call cannot be exact, and says why before the first forward pass
├── PromptError        (also ValueError)   the prompt, its mask or its token ids are not usable
├── TraceError         (also ValueError)   a recorded request cannot be read
├── HistoryError       (also ValueError)   a saved history cannot be used, or references do not fit
├── CostsError         (also ValueError)   a saved table of costs cannot be used
└── GuardError         (also ValueError)   a guard cannot be made, or a text violates it
    └── UnsupportedError                   a schema or grammar contains what its backend would not enforce

NgramspecWarning       (UserWarning)       the text is right, but something is not as fast as it could be
└── GuardWarning                           a guard enforces less than its source says
"""

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ngramspec.printing import printable

MAX_MESSAGE = 2000
"""Longest message, in characters: one screen. A longer one keeps its beginning and its end."""
END = 600
"""Characters kept of the end, where a message says what to do."""


def readable(message: object) -> str:
    """`message` without control sequences, even those in quoted text, and at most MAX_MESSAGE characters long."""
    text = str(message)
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - END]} … {text[-END:]}"
    text = printable(text)
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - END - 3]} … {text[-END:]}"
    return text


class NgramspecError(Exception):
    """The base class: catch it to catch everything that ngramspec raises on purpose.

    Its message fits a screen and has no control sequences, even where it quotes untrusted text.
    """

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(readable(message), *more)


class RefusedError(NgramspecError, ValueError):
    """The call requests something that speculation cannot reproduce exactly; nothing has been computed."""


class PromptError(NgramspecError, ValueError):
    """The prompt, its attention mask or its token ids are not usable; nothing has been computed."""


class TraceError(NgramspecError, ValueError):
    """A recorded request cannot be read; the message names the file and the line."""


class HistoryError(NgramspecError, ValueError):
    """A saved history is damaged or another tokenizer's, or references do not fit. Nothing has been changed."""


class CostsError(NgramspecError, ValueError):
    """A file is not a table of costs, or is damaged. Nothing has been changed."""


class GuardError(NgramspecError, ValueError):
    """A guard cannot be made, a text violates it, or its backend failed: no token that it forbids is emitted.

    tokens, text: emitted so far, if any. row: index in the batch, if there is one.
    sequences: `int64[B, P + emitted]`, the output of the whole call so far, failed rows padded; else None.
    """

    def __init__(
        self,
        message: str,
        *,
        tokens: Sequence[int] = (),
        text: str = "",
        row: int | None = None,
        sequences: Any = None,
    ) -> None:
        super().__init__(message)
        self.tokens = list(tokens)
        self.text = text
        self.row = row
        self.sequences = sequences


class UnsupportedError(GuardError):
    """A schema or grammar contains what its backend would not enforce; `lenient=True` makes it a warning."""


class NgramspecWarning(UserWarning):
    """The text is right, but something is not as fast as it could be. Its message is as readable as an error's."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(readable(message), *more)


class GuardWarning(NgramspecWarning):
    """A guard enforces less than its source says, or differs from what the source suggests."""


def shortened(value: object, limit: int = 60) -> str:
    """`value` as quoted in an error message: at most `limit` characters of its `repr`, in time bounded by them."""
    text = _shown(value, limit + 1, MAX_SHOWN_DEPTH)
    return text if len(text) <= limit else text[:limit] + "…"


MAX_SHOWN_DEPTH = 8
"""Deepest nesting of lists and objects that a message shows."""


def _shown(value: object, limit: int, depth: int) -> str:
    """The beginning of the `repr` of `value`, at least `limit` characters if it is longer."""
    kind = type(value)
    if kind is str or kind is bytes:
        return repr(value[:limit])[: None if len(value) <= limit else -1]  # type: ignore[index, arg-type]
    if kind is int:
        bits = value.bit_length()  # type: ignore[attr-defined]
        return repr(value) if bits <= 4 * limit else f"an integer of {bits} bits"
    if kind not in _BRACKETS:
        return _own(value)
    opening, closing = _BRACKETS[kind]
    if depth == 0:
        return f"{opening}…{closing}"
    items = value.items() if isinstance(value, dict) else value
    text, first = opening, True
    for item in islice(items, limit):  # type: ignore[call-overload]
        if len(text) > limit:
            return text
        if isinstance(value, dict):
            shown = f"{_shown(item[0], limit, depth - 1)}: {_shown(item[1], limit, depth - 1)}"
        else:
            shown = _shown(item, limit, depth - 1)
        text, first = text + ("" if first else ", ") + shown, False
    return text + ("," if kind is tuple and len(value) == 1 else "") + closing  # type: ignore[arg-type]


_BRACKETS: dict[type, tuple[str, str]] = {dict: ("{", "}"), list: ("[", "]"), tuple: ("(", ")")}


def _own(value: object) -> str:
    """The `repr` of an object of a third-party class, which may raise."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__} whose repr raises>"


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """The suggestion that an error message ends with if `given` resembles one of `known`."""
    text = given if isinstance(given, str) else shortened(given)
    near = difflib.get_close_matches(text[:MAX_NAME].lower(), list(known), n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else ""


MAX_NAME = 100
"""Characters of a name that are compared with the known names."""
