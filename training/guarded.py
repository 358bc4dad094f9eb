"""Recorded outputs that fit a schema, with the guard that they could have been written under."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ngramspec import Guard, GuardError
from ngramspec.guards import Vocabulary
from ngramspec.guards.source import Whitespace
from ngramspec.replay import Trace
from training.function_calls import call_schema
from training.json_lines import json_lines

CALLS = ("bfcl_calls", "nestful_calls")
SQL = "_sql"
IN_SEQUENCE = "nestful_calls"
SEPARATORS = (",", ":")


@dataclass(slots=True)
class Guarded:
    """Requests with their guards; refused: rows that have no schema, or whose output it does not allow."""

    traces: list[Trace] = field(default_factory=list)
    refused: int = 0

    def add(self, trace: Trace | None) -> None:
        """Count a row."""
        if trace is None:
            self.refused += 1
        else:
            self.traces.append(trace)


def function_calls(paths: Sequence[Path], vocabulary: Vocabulary) -> Guarded:
    """The recorded function calls, each under the schema of the tools in its prompt."""
    found = Guarded()
    for path in paths:
        if path.name.startswith(CALLS):
            for row in json_lines(path):
                schema = call_schema(row["prompt"], in_sequence=path.name.startswith(IN_SEQUENCE))
                found.add(_trace(schema, row["prompt"], row["output"], row["segment"], vocabulary, "flexible"))
    return found


def statements(paths: Sequence[Path], vocabulary: Vocabulary) -> dict[str, Guarded]:
    """The recorded answers in SQL, each without what ends it, under the grammar of SELECT statements; by recording."""
    guard = Guard.load("sql-select", vocabulary)
    found: dict[str, Guarded] = {}
    for path in paths:
        source = path.name.partition(".")[0]
        if source.endswith(SQL):
            for row in json_lines(path):
                output = row["output"].rstrip("; \n")
                trace = _encoded(row["prompt"], output, row["segment"], guard) if guard.accepts(output) else None
                found.setdefault(source, Guarded()).add(trace)
    return found


def instances(paths: Sequence[Path], vocabulary: Vocabulary) -> dict[str, Guarded]:
    """The first valid instance of each schema, without blanks, after a prompt that shows the schema; by class."""
    found: dict[str, Guarded] = {}
    for path in paths:
        for row in json_lines(path):
            if row["valid"]:
                output = json.dumps(row["valid"][0], ensure_ascii=False, separators=SEPARATORS)
                trace = _trace(
                    row["schema"], schema_prompt(row["schema"]), output, row["subset"], vocabulary, "compact"
                )
                found.setdefault(row["subset"], Guarded()).add(trace)
    return found


def schema_prompt(schema: Any) -> str:
    """A prompt that shows `schema`."""
    return f"Write JSON that fits this schema.\n\n{json.dumps(schema, ensure_ascii=False)}\n\n"


def _trace(
    schema: Any, prompt: str, output: str, segment: str, vocabulary: Vocabulary, whitespace: Whitespace
) -> Trace | None:
    if schema is None:
        return None
    try:
        guard = Guard.json_schema(schema, vocabulary, whitespace=whitespace)
        if not guard.accepts(output):
            return None
    except GuardError:
        return None
    return _encoded(prompt, output, segment, guard)


def _encoded(prompt: str, output: str, segment: str, guard: Guard) -> Trace:
    ids = [np.array(guard.vocabulary.encode(text), np.int32) for text in (prompt, output)]
    return Trace(ids[0], ids[1], segment, guard=guard)
