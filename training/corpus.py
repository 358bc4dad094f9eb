"""Functions and docstrings of the running Python's standard library, split by module into training and held back."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EXCLUDED_FOLDERS = {"site-packages", "test", "tests", "idle_test", "lib2to3", "idlelib", "__pycache__"}
HELD_BACK_SHARE = 10  # one in ten


def is_held_back(text: str) -> bool:
    """The split: stable across machines and runs, unlike ``hash()``."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % HELD_BACK_SHARE == 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the standard library; ``source`` is dedented and has no decorators."""

    module: str
    qualname: str
    source: str


@cache
def functions(*, held_back: bool) -> tuple[Function, ...]:
    """Functions of 60 to 900 characters of one side of the split, ordered by module and line, without repetition."""
    seen: set[str] = set()
    found = []
    for module, text, tree in _modules():
        for qualname, node in _definitions(tree, ""):
            source = textwrap.dedent(_source(text, node))
            if not 60 <= len(source) <= 900 or not _parses(source) or source in seen:
                continue
            # A function that occurs in modules of both sides belongs to the one that comes first.
            seen.add(source)
            if is_held_back(module) == held_back:
                found.append(Function(module, qualname, source))
    return tuple(found)


@cache
def paragraphs(*, held_back: bool) -> tuple[str, ...]:
    """Paragraphs of docstrings, 80 to 700 characters each, of one side of the split."""
    seen: set[str] = set()
    found = []
    for module, _, tree in _modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                paragraph = part.strip()
                if not 80 <= len(paragraph) <= 700 or paragraph in seen:
                    continue
                seen.add(paragraph)
                if is_held_back(module) == held_back:
                    found.append(paragraph)
    return tuple(found)


@cache
def _modules() -> tuple[tuple[str, str, ast.Module], ...]:
    root = Path(sysconfig.get_path("stdlib"))
    modules = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if EXCLUDED_FOLDERS & set(relative.parts):
            continue
        try:
            text = path.read_text("utf-8")
            tree = ast.parse(text)
        except (UnicodeDecodeError, SyntaxError):
            continue
        modules.append((".".join(relative.with_suffix("").parts), text, tree))
    return tuple(modules)


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _definitions(child, prefix)


def _source(text: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    # Whole lines, so that dedent sees the indentation of the first line too.
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])


def _parses(source: str) -> bool:
    try:
        return len(ast.parse(source).body) == 1
    except SyntaxError:  # a continuation line or a string reaches left of the definition
        return False
