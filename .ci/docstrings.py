"""Lays our docstrings out for the site's reference: griffe reads them through this extension (zensical.toml).

In the source an argument is a line, "max_rows: requests that are decoded at once." Markdown would run such lines
together, so they become lists. Examples become blocks of code, and paths of pages links.
"""

import re
from typing import Any

import griffe

_ARGUMENT = re.compile(r"(\w+(?:, \w+)*): (?=\S)")
_OUTCOME = re.compile(r"(Also raises|Raises|Returns|Warns) ")
_EXAMPLE = re.compile(r"(>>>|\.\.\.)( |$)")
_NOT_RUN = re.compile(r"\s*# doctest: \+SKIP")
_PAGE = re.compile(r"`docs/([\w/-]+\.md)`")
_TAG_OR_CODE = re.compile(r"`[^`]*`|<")


def laid_out(text: str, names: frozenset[str]) -> str:
    """`text` with a list item for each line that describes some of `names`, and a paragraph for each outcome."""
    lines: list[str] = []
    part = "text"
    for line in text.splitlines():
        before, part = part, _part_of(line, part, names)
        if before == "example" != part:
            lines.append("```")
        if part == "example":
            lines += [] if before == part else ["", "```python"]
            lines.append(_NOT_RUN.sub("", line))
        elif part == "item":
            described, words = line.split(": ", maxsplit=1)
            labels = ", ".join(f"`{name}`" for name in described.split(", "))
            lines += [] if before in ("item", "more") else [""]
            lines.append(f"- {labels}: {_prose(words)}")
        elif part == "more":
            lines.append(f"    {_prose(line.strip())}")
        else:
            lines += ["", _prose(line)] if part == "outcome" else [_prose(line)]
    return "\n".join([*lines, "```"] if part == "example" else lines)


def _part_of(line: str, before: str, names: frozenset[str]) -> str:
    """Which part of a docstring a line belongs to, given the part of the line before it."""
    if _EXAMPLE.match(line):
        return "example"
    described = _ARGUMENT.match(line)
    if described and names.issuperset(described[1].split(", ")):
        return "item"
    if _OUTCOME.match(line):
        return "outcome"
    return "more" if before in ("item", "more") and line.strip() else "text"


def _prose(line: str) -> str:
    """The line with pages as links, and `<` outside of code as a sign that begins no tag."""
    escaped = _TAG_OR_CODE.sub(lambda found: "&lt;" if found[0] == "<" else found[0], line)
    return _PAGE.sub(r"[`\1`](../\1)", escaped)


class Layout(griffe.Extension):
    """Rewrites each docstring once it has been read."""

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        """A module may show how it is used."""
        self._lay_out(mod, frozenset())

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """An argument is described by its line."""
        self._lay_out(func, frozenset(parameter.name for parameter in func.parameters))

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """An attribute has no arguments, but may name a page."""
        self._lay_out(attr, frozenset())

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """A record's fields, and its arguments, are described by lines of the class."""
        made = cls.members.get("__init__")
        arguments = made.parameters if isinstance(made, griffe.Function) else ()
        self._lay_out(cls, frozenset(cls.members) | {parameter.name for parameter in arguments})

    def _lay_out(self, documented: griffe.Object, names: frozenset[str]) -> None:
        if documented.docstring:
            documented.docstring.value = laid_out(documented.docstring.value, names)
