"""Everything ngramspec raises on purpose.

NgramspecError
├── RefusedError       (also ValueError)   this call cannot be exact, and says why before the first forward pass
├── PromptError        (also ValueError)   the prompt, its mask or its token ids are not usable
├── TraceError         (also ValueError)   a recorded request cannot be read
├── HistoryError       (also ValueError)   a saved history cannot be used, or a reference finds no room
├── CostsError         (also ValueError)   a saved table of costs cannot be used
└── GuardError         (also ValueError)   a guard cannot be made, or a text left it
    └── UnsupportedError                   a schema or grammar asks for what its backend would not enforce

NgramspecWarning       (UserWarning)       the text is right, but something is not as fast as it could be
└── GuardWarning                           a guard enforces less than what it was made from says
"""

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ngramspec.printing import printable

MAX_MESSAGE = 2000
"""Characters of a message: a screen. Of a longer one the beginning and the end are kept."""
END = 600
"""Characters that are kept of the end, where a message says what to do."""


def readable(message: object) -> str:
    """`message` as a screen shows it: without control sequences, whoever wrote them, and at most MAX_MESSAGE long."""
    text = str(message)
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - END]} … {text[-END:]}"
    text = printable(text)
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - END - 3]} … {text[-END:]}"
    return text


class NgramspecError(Exception):
    """Root of the tree: catch it to catch everything that ngramspec raises on purpose.

    Its message fits a screen and has no control sequences, also where it quotes what a stranger wrote.
    """

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(readable(message), *more)


class RefusedError(NgramspecError, ValueError):
    """The call asks for something that speculation cannot reproduce exactly; nothing has been computed."""


class PromptError(NgramspecError, ValueError):
    """The prompt, its attention mask or its token ids are not usable; nothing has been computed."""


class TraceError(NgramspecError, ValueError):
    """A recorded request cannot be read; the message names the file and the line."""


class HistoryError(NgramspecError, ValueError):
    """A saved history is another tokenizer's, or damaged; or references find no room. Nothing has been changed."""


class CostsError(NgramspecError, ValueError):
    """A file is no table of costs, or a damaged one. Nothing has been changed."""


class GuardError(NgramspecError, ValueError):
    """A guard cannot be made, or a text left it, or its backend failed: nothing is emitted that it has not allowed.

    tokens, text: what was emitted until then, where anything was. row: the row of the batch, where there is one.
    sequences: `int64[B, P + emitted]`, what the whole call made until then, the failed rows padded; else None.
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
    """A schema or grammar asks for what its backend would not enforce; `lenient=True` makes it a warning."""


class NgramspecWarning(UserWarning):
    """The text is right, but something is not as fast as it could be. Its message is as readable as an error's."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(readable(message), *more)


class GuardWarning(NgramspecWarning):
    """A guard enforces less than what it was made from says, or something else than its maker may think."""


def shortened(value: object, limit: int = 60) -> str:
    """`value` as an error message quotes it: at most `limit` characters of its `repr`, in a time that they bound."""
    text = _shown(value, limit + 1, MAX_SHOWN_DEPTH)
    return text if len(text) <= limit else text[:limit] + "…"


MAX_SHOWN_DEPTH = 8
"""Lists and objects inside of one another that a message shows."""


def _shown(value: object, limit: int, depth: int) -> str:
    """The beginning of the `repr` of `value`, `limit` characters of it or a few more."""
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
    """What a class of somebody's own says of its object, which may be an error."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__} that raises where it is shown>"


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """What an error message adds where `given` looks like one of `known`."""
    text = given if isinstance(given, str) else shortened(given)
    near = difflib.get_close_matches(text[:MAX_NAME].lower(), list(known), n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else ""


MAX_NAME = 100
"""Characters of a name that are compared with the names there are."""
