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
from typing import Any


class NgramspecError(Exception):
    """Root of the tree: catch it to catch everything that ngramspec raises on purpose."""


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
    """The text is right, but something is not as fast as it could be."""


class GuardWarning(NgramspecWarning):
    """A guard enforces less than what it was made from says, or something else than its maker may think."""


def shortened(value: object, limit: int = 60) -> str:
    """`value` as an error message quotes it: at most `limit` characters of its `repr`."""
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """What an error message adds where `given` looks like one of `known`."""
    near = difflib.get_close_matches(str(given).lower(), list(known), n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else ""
