"""Rename one name of a Python function, where that is the same on the text and on the syntax tree."""

from __future__ import annotations

import ast
import keyword
import re
from functools import cache


@cache
def renamable(source: str) -> tuple[str, ...]:
    """The function's own name, arguments and local variables that can be renamed by replacing whole words.

    A name that is also an attribute, a keyword of a call, or a word of a string or comment is left out: there,
    replacing words would change more than the name.
    """
    tree = ast.parse(source)
    bound: dict[str, int] = {}
    uses: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name, binds = node.name, True
        elif isinstance(node, ast.arg):
            name, binds = node.arg, True
        elif isinstance(node, ast.Name):
            name, binds = node.id, isinstance(node.ctx, ast.Store)
        else:
            continue
        uses[name] = uses.get(name, 0) + 1
        bound[name] = bound.get(name, 0) + binds
    return tuple(
        name for name, binds in bound.items() if binds and _may_change(name) and count(source, name) == uses[name]
    )


def rename(source: str, old: str, new: str) -> str:
    """``source`` with the whole word ``old`` replaced by ``new`` everywhere."""
    return re.sub(rf"\b{re.escape(old)}\b", lambda _: new, source)


def count(source: str, word: str) -> int:
    """How often ``word`` stands in ``source`` as a whole word."""
    return len(re.findall(rf"\b{re.escape(word)}\b", source))


def is_free(source: str, name: str) -> bool:
    """Whether ``name`` may be introduced in ``source``."""
    return name.isidentifier() and not keyword.iskeyword(name) and not count(source, name)


def _may_change(name: str) -> bool:
    return len(name) > 1 and name not in {"self", "cls"} and not name.startswith("__")
