"""The grammars that come with the package: data files in `grammars/`, each read by its name."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ngramspec.errors import GuardError, did_you_mean, shortened
from ngramspec.guards.source import Language, Source

LANGUAGES = {".lark": Language.LARK, ".regex": Language.REGEX, ".schema.json": Language.JSON_SCHEMA}
"""Language of a file, by suffix; the rest of the file's name is the grammar's name."""


def folder() -> Traversable:
    """The folder of these files: inside an installed package, or at the top of a source tree."""
    installed = files("ngramspec") / "grammars"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "grammars"


def names() -> list[str]:
    """The names of the grammars."""
    return sorted(_files())


def source(name: str) -> Source:
    """The grammar called `name`. Raises GuardError, which lists the names, for an unknown one."""
    found = _files()
    if isinstance(name, str | Path) and Path(name).suffix in (".lark", ".gbnf"):
        raise GuardError(f"a grammar to load must be given by name, got {str(name)!r}: call Guard.grammar_file")
    if not isinstance(name, str) or name not in found:
        meant = did_you_mean(name, found)
        raise GuardError(f"a grammar to load must be one of {', '.join(sorted(found))}, got {shortened(name)}{meant}")
    language, file = found[name]
    text = file.read_text(encoding="utf-8")
    return Source(language, joined(text) if language is Language.REGEX else text)


def _files() -> dict[str, tuple[Language, Traversable]]:
    found = {}
    for file in folder().iterdir():
        for ending, language in LANGUAGES.items():
            if file.name.endswith(ending):
                found[file.name.removesuffix(ending)] = language, file
    return found


def joined(text: str) -> str:
    """The regex in a file of several lines: lines that begin with # are comments, the others are joined."""
    return "".join(re.findall(r"^(?!#)(.*)$", text, re.MULTILINE))
