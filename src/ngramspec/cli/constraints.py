"""The constraint given by an option: a schema, a regex or a grammar."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ngramspec.errors import GuardError
from ngramspec.files.reading import Bounds
from ngramspec.printing import named

if TYPE_CHECKING:
    from ngramspec.guards import Guard
    from ngramspec.guards.source import Backend, Whitespace


MAX_BYTES = 1 << 24
"""Limit of a file with a schema or grammar, in bytes; guards accept less."""


@dataclass(frozen=True, slots=True)
class ConstraintSource:
    """The value of `option`: a text, and further arguments of the guard's constructor."""

    option: str
    text: str
    settings: dict[str, Any]

    def guard(self, tokenizer: Any, backend: "Backend") -> "Guard":
        """The guard, compiled for a tokenizer. Raises GuardError, which names the option."""
        from ngramspec.guards import Guard

        makers = {"--schema": Guard.json_schema, "--regex": Guard.regex, "--grammar": Guard.grammar}
        make: Any = makers[self.option.partition(" ")[0]]
        try:
            guard: Guard = make(self.text, tokenizer, backend=backend, **self.settings)
        except GuardError as error:
            raise type(error)(f"{self.option}: {error}") from error
        return guard


def constraint_source(
    *, schema: str | None, regex: str | None, grammar: str | None, whitespace: "Whitespace | None"
) -> ConstraintSource | None:
    """The constraint given by the options, None if there is none. Raises OSError if a file cannot be read."""
    given = {"--schema": schema, "--regex": regex, "--grammar": grammar}
    options = [name for name, value in given.items() if value is not None]
    if len(options) > 1:
        raise typer.BadParameter(f"one constraint at a time, got {' and '.join(options)}: leave one out")
    if whitespace is not None and schema is None:
        raise typer.BadParameter("--whitespace is between the tokens of JSON: add --schema, or leave it out")
    if regex is not None:
        return ConstraintSource("--regex", regex, {})
    path = grammar if schema is None else schema
    if path is None:
        return None
    settings = {} if whitespace is None else {"whitespace": whitespace}
    return ConstraintSource(f"{options[0]} {named(path)}", text_of(path) + "\n", settings)


def text_of(path: str | Path) -> str:
    """The text of a file. Raises OSError if it cannot be read, GuardError if it cannot be a schema or grammar."""
    bounds = Bounds("a schema or grammar", GuardError, MAX_BYTES)
    with bounds.opened(path) as file:
        content = bounds.content(file, named(path))
    try:
        return io.TextIOWrapper(io.BytesIO(content), "utf-8").read()  # all line ends become \n
    except UnicodeDecodeError as error:
        raise OSError(f"{named(path)} must be a file of UTF-8 text, got {error}: convert it") from error
