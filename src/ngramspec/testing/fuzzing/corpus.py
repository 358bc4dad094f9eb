"""Reads constraints from files: rows of {"schema", "valid", "invalid"}, and files of one schema, regex or grammar."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from ngramspec.errors import GuardError
from ngramspec.guards.library import joined
from ngramspec.testing.constraints import Constraint, ConstraintKind, dumped

SUFFIXES: dict[str, ConstraintKind] = {".schema.json": "schema", ".regex": "regex", ".lark": "grammar"}


def read_corpus(folder: Path) -> list[Constraint]:
    """All constraints in `folder` and below, by name: `*.jsonl`, `*.jsonl.gz`, `*.schema.json`, `*.regex`, `*.lark`.

    A row of JSON lines is {"schema": …, "valid": […], "invalid": […]}, with instances instead of texts, and an "id".
    Raises GuardError if there is no constraint, and for other rows.
    """
    if not folder.is_dir():
        raise GuardError(f"a corpus must be a folder, got {folder}, which is not one")
    found: list[Constraint] = []
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            found += _rows(path)
        elif suffix := next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None):
            found.append(read_constraint(path, SUFFIXES[suffix]))
    if not found:
        raise GuardError(f"a corpus must hold {', '.join(SUFFIXES)} or .jsonl files, got none in {folder}")
    return found


def read_constraint(path: Path, kind: ConstraintKind) -> Constraint:
    """The constraint in a file, with the texts of `NAME.examples.json` if that is beside it.

    Files are read like those in `grammars/`: a regex may have several lines, and comments.
    """
    text = path.read_text(encoding="utf-8")
    try:
        source = {"schema": lambda: dumped(json.loads(text)), "regex": lambda: joined(text), "grammar": lambda: text}
        known = _examples(path)
        return Constraint(kind, source[kind](), tuple(known["accepted"]), tuple(known["rejected"]), path.name)
    except (ValueError, KeyError, TypeError) as error:
        raise GuardError(f"a {kind} and its examples must be readable, got {path}: {error!r}") from error


def _examples(path: Path) -> dict[str, list[str]]:
    """Texts that must pass, and texts that must fail."""
    name = next((path.name.removesuffix(end) for end in SUFFIXES if path.name.endswith(end)), path.stem)
    file = path.with_name(f"{name}.examples.json")
    known: dict[str, list[str]] = {"accepted": [], "rejected": []}
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else known


def _rows(path: Path) -> Iterator[Constraint]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                texts = {kind: tuple(map(dumped, row.get(kind, ()))) for kind in ("valid", "invalid")}
                name = str(row.get("id", f"{path.name}:{number}"))
                yield Constraint("schema", dumped(row["schema"]), texts["valid"], texts["invalid"], name)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise GuardError(
                    f'a row must be {{"schema": …, "valid": […], "invalid": […]}}, got {path}:{number}: {error!r}'
                ) from error
