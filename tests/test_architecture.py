"""The rooms: imports point downward only, and `import ngramspec` is light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ngramspec

PACKAGE = Path(ngramspec.__file__).parent
FLOORS = {
    "errors": -2,
    "lazily": -3,
    "printing": -3,
    "forking": -1,
    "files": -1,
    "stats": 0,
    "drafting": 0,
    "guards": 0,
    "foresight": 0,
    "decoding": 1,
    "watching": 1,
    "hf": 2,
    "pico": 0,
    "replay": 2,
    "serve": 3,
    "calibration": 3,
    "simulate": 3,
    "vllm": 3,
    "testing": 3,
    "bench": 4,
    "cli": 5,
    "__main__": 6,
}


WINGS = {
    "hf": ["types", "seam", "facts", "choice", "rows", "target", "trials", "entry", "engine"],
    "serve": ["settings", "wire", "text", "structure", "engine", "endpoints", "app"],
}
"""Of a room, from the lowest to the highest; the modules beside them lie below them."""


def imports() -> Iterator[tuple[str, str, str]]:
    """Every import of one room by another: file, importing room, imported room; those for type checkers alone too."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        room = relative.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                parts = name.split(".")
                if parts[0] == "ngramspec" and len(parts) > 1:
                    yield str(relative), room, parts[1]


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(FLOORS) == rooms - {"__init__"}


def test_imports_point_downward_only() -> None:
    found = [entry for entry in imports() if entry[1] != "__init__"]
    assert found
    wrong = [entry for entry in found if entry[1] != entry[2] and FLOORS[entry[1]] <= FLOORS[entry[2]]]
    assert [] == wrong


@pytest.mark.parametrize(("room", "least"), [("hf", 100), ("serve", 60)])
def test_the_wings_of_a_room_import_those_below_them_only(room: str, least: int) -> None:
    base, wings = PACKAGE / room, WINGS[room]
    assert {*wings, "__init__"} == {path.stem for path in base.iterdir() if path.name != "__pycache__"}
    found = 0
    for path in base.rglob("*.py"):
        own = path.relative_to(base).parts[0].removesuffix(".py")
        for imported in modules_imported(path):
            parts = imported.split(".")
            if parts[:2] != ["ngramspec", room] or own == "__init__":
                continue
            assert len(parts) > 2, f"{path} imports {room} itself, whose names are for others"
            found += 1
            assert parts[2] == own or wings.index(parts[2]) < wings.index(own), f"{path} imports {imported}"
    assert found > least


def modules_imported(path: Path) -> Iterator[str]:
    """Each module that is imported in a file, and of `from package import name` the name too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    "room", ["drafting", "guards", "foresight", "decoding", "replay", "simulate", "vllm", "watching", "stats", "errors"]
)
def test_the_floors_below_hf_and_replay_import_no_torch_on_their_own(room: str) -> None:
    paths = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else (PACKAGE / room).rglob("*.py")
    for path in paths:
        for node in ast.parse(path.read_text()).body:
            text = ast.unparse(node) if isinstance(node, ast.Import | ast.ImportFrom) else ""
            assert "torch" not in text
            assert "transformers" not in text


def test_every_lock_is_one_that_a_forked_child_finds_free() -> None:
    """As `forking` makes them; `guards` and what runs in its processes have their own rules."""
    own = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ("guards", "testing")]
    assert len(own) > 100
    made = re.compile(r"threading\.(Lock|RLock|Condition|Semaphore|BoundedSemaphore)\(|(?<![\w.])R?Lock\(\)")
    assert ["forking.py"] == [path.name for path in own if made.search(path.read_text())]


def test_every_file_is_written_in_the_one_way_and_opened_in_the_one_way() -> None:
    """By `files`; and what the package itself brings is read as it is."""
    opening = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "mkstemp", "fdopen", "rename", "FileIO"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        calls = [node.func for node in nodes if isinstance(node, ast.Call)]
        calls += [base for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        names |= {call.attr for call in calls if isinstance(call, ast.Attribute)} - {"open"}  # what opens a row
        if names & opening and path.relative_to(PACKAGE).parts[0] not in ("guards", "testing"):
            found.add(path.relative_to(PACKAGE).as_posix())
    packaged = {
        "decoding/fits.py",
        "drafting/prior.py",
        "hf/facts/known_code.py",
        "pico/demo_inputs.py",
        "serve/app/page.py",
    }
    assert {*packaged, "files/reading.py", "files/writing.py", "files/appending.py"} == found


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, ngramspec; print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == result.stdout.strip()


def test_every_public_name_resolves_and_no_other_does() -> None:
    for name in ngramspec.__all__:
        assert getattr(ngramspec, name) is not None
        assert name in dir(ngramspec)
    with pytest.raises(AttributeError, match="has no attribute 'Speculater'"):
        ngramspec.Speculater  # noqa: B018
