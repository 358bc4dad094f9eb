"""The hot part of drafting has one interface, whichever core implements it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import ngramspec
from ngramspec.drafting import core

PACKAGE = Path(ngramspec.__file__).parent
CORE = PACKAGE / "drafting" / "core"


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every `from module import name` of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_nobody_imports_from_inside_the_core_but_the_core() -> None:
    outside = [path for path in PACKAGE.rglob("*.py") if CORE not in path.parents]
    inside = core.__name__ + "."
    assert [] == [(path.name, module) for path in outside for module, _ in imports(path) if module.startswith(inside)]
    taken = {name for path in outside for module, name in imports(path) if module == core.__name__}
    assert taken | {"propose_all", "propose_trees", "is_compiled"} == {*core.__all__}


def test_the_core_knows_nothing_of_segments_and_files() -> None:
    modules = {module for path in CORE.rglob("*.py") for module, _ in imports(path) if module.startswith("ngramspec")}
    allowed = {"ngramspec", "ngramspec.drafting.types", "ngramspec.drafting.prior", "ngramspec.errors"}
    assert allowed == {module for module in modules if not module.startswith(core.__name__)}
