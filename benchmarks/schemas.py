"""How many JSON schemas does each backend get right, refuse by name, or get wrong? Strict and lenient.

Rows are JSON lines (also .gz) with "schema" and lists of "valid" and "invalid" instances. A schema is right if its
guard accepts all valid and no invalid ones; refused if it raises a GuardError; else wrong: with a warning if the guard
gave one, otherwise silently.

A guard writes the keys of an object in one order, and whole numbers without a fraction. A valid instance that it
accepts in that spelling counts as accepted; a separate column counts schemas that need that.

    python -m benchmarks.schemas [FILES] [--backend B] [--limit N] [--json]
"""

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ngramspec.errors import GuardError, GuardWarning
from ngramspec.guards import Guard, Limits, Matcher, Vocabulary
from ngramspec.guards.source import Backend
from training.json_lines import json_lines

DEFAULT_SCHEMAS = Path(__file__).parents[2] / "shared" / "schemas"
BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")
DRAFTS = {f"draft{number}": f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7)}


@dataclass(frozen=True)
class Verdict:
    """The result for one schema."""

    id: str
    outcome: str
    spelling: bool = False
    words: str = ""


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("files", nargs="*", type=Path, help="JSON lines; default ../shared/schemas/*.jsonl.gz")
    made.add_argument("--backend", choices=BACKENDS, action="append", help="only this one; may be repeated")
    made.add_argument("--limit", type=int, help="the first N schemas of each file")
    made.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth schema of a file")
    made.add_argument("--seconds", type=float, default=5.0, help="for one schema (default: 5)")
    made.add_argument("--json", action="store_true", help="print one JSON object, with a verdict for each schema")
    given = made.parse_args()
    limits = Limits(max_seconds=given.seconds)
    files = given.files or sorted(DEFAULT_SCHEMAS.glob("*.jsonl.gz"))
    if not files:
        made.error(f"no schemas in {DEFAULT_SCHEMAS}: pass JSON lines of schemas with valid and invalid instances")
    found: dict[str, dict[str, list[Verdict]]] = {}
    seconds: dict[str, float] = {}
    for path in files:
        rows = list(read_rows(path, given.limit))[:: given.every]
        for backend in given.backend or BACKENDS:
            for is_lenient in (False, True):
                start = time.perf_counter()
                name = f"{backend}, {'lenient' if is_lenient else 'strict'}"
                found.setdefault(name, {})[path.name] = [judged(row, backend, is_lenient, limits) for row in rows]
                seconds[f"{name}: {path.name}"] = time.perf_counter() - start
    if given.json:
        verdicts = {name: {file: list(map(asdict, rows)) for file, rows in by.items()} for name, by in found.items()}
        print(json.dumps({"seconds": seconds, "verdicts": verdicts}))
        return
    for path in files:
        print_table(path.name, {name: by[path.name] for name, by in found.items()})


def read_rows(path: Path, limit: int | None) -> Iterator[dict[str, Any]]:
    """The rows of a file; schemas of the test suite get a declaration of the draft whose tests they come from."""
    for row in islice(json_lines(path), limit):
        draft = DRAFTS.get(row.get("subset", ""))
        if draft is not None and isinstance(row["schema"], dict):
            row["schema"] = {"$schema": draft} | row["schema"]
        yield row


def judged(row: dict[str, Any], backend: Backend, is_lenient: bool, limits: Limits) -> Verdict:
    """The verdict on the schema of `row`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GuardWarning)
        try:
            guard = Guard.json_schema(row["schema"], BYTES, backend=backend, lenient=is_lenient, limits=limits)
        except GuardError as error:
            return Verdict(row["id"], "refused", words=str(error))
    left_out = [str(warning.message) for warning in caught if "leaves out of" in str(warning.message)]
    told = "warned" if left_out else "silent"
    words = "; ".join(left_out)
    accepted = [value for value in row["invalid"] if accepts(guard, value)]
    as_written = [accepts(guard, value) for value in row["valid"]]
    in_spelling = all(
        is_accepted or accepts_in_its_spelling(guard, value)
        for value, is_accepted in zip(row["valid"], as_written, strict=True)
    )
    if accepted or not in_spelling:
        kinds = [name for name, is_so in (("accepts", accepted), ("rejects", not in_spelling)) if is_so]
        return Verdict(row["id"], f"wrong, {told}", words=f"{' and '.join(kinds)}; {words}")
    return Verdict(row["id"], "right", spelling=not all(as_written), words=words)


def accepts(guard: Guard, value: Any) -> bool:
    """Whether `guard` accepts `value` as written; a backend that gives up on the way has not accepted it."""
    try:
        return guard.accepts(text_of(value))
    except GuardError:
        return False


def text_of(value: Any) -> str:
    """`value` as JSON, with unescaped letters."""
    return json.dumps(value, ensure_ascii=False)


def accepts_in_its_spelling(guard: Guard, value: Any) -> bool:
    """Whether `guard` accepts `value` with the keys of objects in another order, or with 1 for 1.0."""
    matcher = guard.matcher(())
    return bool(_Speller(matcher).put(value) and matcher.accepting())


class _Speller:
    """Pushes values in a spelling that a matcher accepts; each method returns the text that it pushed, or none."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._found: dict[int, list[str]] = {}

    def put(self, value: Any) -> int:
        is_whole = isinstance(value, float) and value.is_integer()  # 2.0 may only be the beginning of 2.05
        texts = self._found.setdefault(id(value), [text_of(int(value) if is_whole else value), text_of(value)])
        for text in texts:
            length = self._push(text)
            if length:
                texts.append(text)
                return length
        if not isinstance(value, dict | list):
            return 0
        text = self._object(value) if isinstance(value, dict) else self._array(value)
        if not text:
            return 0
        texts.append(text)
        return self._push(text)

    def _array(self, items: list[Any]) -> str:
        pieces = ["["]
        length = self._push("[")
        for index, item in enumerate(items):
            comma = ", " if index else ""
            pushed = self._pair(comma, item) if length else 0
            if not pushed:
                self._matcher._pop(length)
                return ""
            pieces += [comma, self._last(item)]
            length += pushed
        self._matcher._pop(length)
        return "".join([*pieces, "]"])

    def _object(self, items: dict[str, Any]) -> str:
        """Push at each step a possible key that cannot come after another one, unless both orders are possible."""
        pieces = ["{"]
        length = self._push("{")
        left = dict(items)
        while left and length:
            comma = ", " if len(left) < len(items) else ""
            after = {name: self._after(comma, name, left) for name in left}
            possible = {name: others for name, others in after.items() if others is not None}
            first = next(
                (
                    name
                    for name, others in possible.items()
                    if all(name not in these or other in others for other, these in possible.items() if other != name)
                ),
                None,
            )
            if first is None:
                self._matcher._pop(length)
                return ""
            key = f"{comma}{text_of(first)}: "
            value = left.pop(first)
            length += self._pair(key, value)
            pieces += [key, self._last(value)]
        self._matcher._pop(length)
        return "".join([*pieces, "}"])

    def _pair(self, key: str, value: Any) -> int:
        before = self._push(key) if key else 0
        length = self.put(value) if before or not key else 0
        if not length:
            self._matcher._pop(before)
            return 0
        return before + length

    def _after(self, comma: str, name: str, left: dict[str, Any]) -> set[str] | None:
        """The keys that may come right after `name`; None if `name` itself cannot come."""
        length = self._pair(f"{comma}{text_of(name)}: ", left[name])
        if not length:
            return None
        others = {other for other in left if other != name and self._could(f", {text_of(other)}: ")}
        self._matcher._pop(length)
        return others

    def _last(self, value: Any) -> str:
        return self._found[id(value)][-1]

    def _could(self, text: str) -> bool:
        length = self._push(text)
        self._matcher._pop(length)
        return bool(length)

    def _push(self, text: str) -> int:
        """Push all of `text`, or nothing."""
        raw = text.encode()
        length = self._matcher._push_bytes(raw)
        if length == len(raw):
            return length
        self._matcher._pop(length)
        return 0


def print_table(title: str, found: dict[str, list[Verdict]]) -> None:
    """One line per backend and mode: shares of the schemas."""
    columns = ("right", "refused", "wrong, warned", "wrong, silent")
    table = Table(title=f"{title}: {len(next(iter(found.values())))} schemas, %")
    table.add_column("backend")
    for column in (*columns, "of right: in the guard's own spelling"):
        table.add_column(column, justify="right")
    for name, verdicts in found.items():
        counts = Counter(verdict.outcome for verdict in verdicts)
        shares = [counts[column] for column in columns] + [sum(verdict.spelling for verdict in verdicts)]
        table.add_row(name, *(f"{100 * share / max(len(verdicts), 1):.1f}" for share in shares))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
