"""Everything ngramspec raises on purpose.

NgramspecError
├── RefusedError       (also ValueError)   this call cannot be exact, and says why before the first forward pass
├── PromptError        (also ValueError)   the prompt, its mask or its token ids are not usable
└── TraceError         (also ValueError)   a recorded request cannot be read

NgramspecWarning       (UserWarning)       the text is right, but something is not as fast as it could be
"""


class NgramspecError(Exception):
    """Root of the tree: catch it to catch everything that ngramspec raises on purpose."""


class RefusedError(NgramspecError, ValueError):
    """The call asks for something that speculation cannot reproduce exactly; nothing has been computed."""


class PromptError(NgramspecError, ValueError):
    """The prompt, its attention mask or its token ids are not usable; nothing has been computed."""


class TraceError(NgramspecError, ValueError):
    """A recorded request cannot be read; the message names the file and the line."""


class NgramspecWarning(UserWarning):
    """The text is right, but something is not as fast as it could be."""


def shortened(value: object, limit: int = 60) -> str:
    """`value` as an error message quotes it: at most `limit` characters of its `repr`."""
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
