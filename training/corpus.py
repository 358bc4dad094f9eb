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


@dataclass(frozen=True, slots=True)
class _Corpus:
    # In the order of module and line.
    functions: tuple[Function, ...]
    paragraphs: dict[str, str]  # paragraph -> module


@cache
def functions(*, held_back: bool) -> tuple[Function, ...]:
    """Functions of 60 to 900 characters of one side of the split, ordered by module and line, without repetition."""
    return tuple(function for function in _corpus().functions if is_held_back(function.module) == held_back)


@cache
def paragraphs(*, held_back: bool) -> tuple[str, ...]:
    """Paragraphs of docstrings, 80 to 700 characters each, of one side of the split, without repetition."""
    return tuple(text for text, module in _corpus().paragraphs.items() if is_held_back(module) == held_back)


@cache
def _corpus() -> _Corpus:
    # One pass, and no syntax tree survives it: together they would take gigabytes.
    found_functions: dict[str, Function] = {}
    found_paragraphs: dict[str, str] = {}
    for module, text, tree in _modules():
        lines = text.splitlines()
        # What occurs in several modules belongs to the first, so that it is on one side only.
        for qualname, node in _definitions(tree, ""):
            # Whole lines, so that dedent sees the indentation of the first line too.
            source = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
            if 60 <= len(source) <= 900 and source not in found_functions and _parses(source):
                found_functions[source] = Function(module, qualname, source)
        for paragraph in _docstring_paragraphs(tree):
            if 80 <= len(paragraph) <= 700:
                found_paragraphs.setdefault(paragraph, module)
    return _Corpus(tuple(found_functions.values()), found_paragraphs)


def _modules() -> Iterator[tuple[str, str, ast.Module]]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if EXCLUDED_FOLDERS & set(relative.parts):
            continue
        try:
            text = path.read_text("utf-8")
            tree = ast.parse(text)
        except (UnicodeDecodeError, SyntaxError):
            continue
        yield ".".join(relative.with_suffix("").parts), text, tree


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _definitions(child, prefix)


def _docstring_paragraphs(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                yield paragraph.strip()


def _parses(source: str) -> bool:
    try:
        return len(ast.parse(source).body) == 1
    except SyntaxError:  # a continuation line or a string reaches left of the definition
        return False
