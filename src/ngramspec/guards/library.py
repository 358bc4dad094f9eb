"""The grammars that come with the package: data files in `grammars/`, each read by its name."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ngramspec.errors import GuardError, did_you_mean, shortened
from ngramspec.guards.source import Kind, Source

KINDS = {".lark": Kind.LARK, ".regex": Kind.REGEX, ".schema.json": Kind.JSON_SCHEMA}
"""What a file holds, by the end of its name; its beginning is the grammar's name."""


def folder() -> Traversable:
    """Where the files are: inside an installed package, or at the top of a source tree."""
    installed = files("ngramspec") / "grammars"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "grammars"


def names() -> list[str]:
    """The grammars there are."""
    return sorted(_files())


def source(name: str) -> Source:
    """The grammar called `name`; raises GuardError, which lists the names there are, where it is none of them."""
    found = _files()
    if isinstance(name, str | Path) and Path(name).suffix in (".lark", ".gbnf"):
        raise GuardError(f"a grammar to load must be one by name, got {str(name)!r}: call Guard.grammar_file")
    if not isinstance(name, str) or name not in found:
        meant = did_you_mean(name, found)
        raise GuardError(f"a grammar to load must be one of {', '.join(sorted(found))}, got {shortened(name)}{meant}")
    kind, file = found[name]
    text = file.read_text(encoding="utf-8")
    return Source(kind, joined(text) if kind is Kind.REGEX else text)


def _files() -> dict[str, tuple[Kind, Traversable]]:
    found = {}
    for file in folder().iterdir():
        for ending, kind in KINDS.items():
            if file.name.endswith(ending):
                found[file.name.removesuffix(ending)] = kind, file
    return found


def joined(text: str) -> str:
    """A regex is written over several lines, for people: those that begin with # are comments, the others joined."""
    return "".join(re.findall(r"^(?!#)(.*)$", text, re.MULTILINE))
