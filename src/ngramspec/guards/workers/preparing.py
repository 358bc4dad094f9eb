"""From an untrusted source to a backend's input: all work on it until it is known to be harmless."""

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards.arguments import check_characters
from ngramspec.guards.schemas import forget, prepared, prepared_regex, schema_text, typos, why_unreadable
from ngramspec.guards.source import Backend, Language, Source
from ngramspec.guards.types import BackendError

Build = Callable[[Source], tuple[bytes, list[str]]]
"""Compiles a prepared source; returns the result and what was left out. Raises BackendError if it cannot be read."""


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes on a compiled source: what was left out of it, and probable typos."""

    left_out: list[str] = field(default_factory=list)
    typos: list[str] = field(default_factory=list)


MAX_WORDS, MAX_LINES, MAX_LINE = 100_000, 8, 200
"""Of a backend's message: characters that are read; lines, and characters per line, that are shown."""

STEP_SECONDS = "max_step_seconds"
"""The option that bounds each step of the worker's trial, among the numbers for a backend."""


class NotCompiledError(Exception):
    """Why a source was not compiled: the name of an error, and its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def request_message(source: Source, options: Mapping[str, float]) -> list[bytes]:
    """The parts of a message that requests `source`; options: further numbers for the backend."""
    content = {
        "language": source.language,
        "whitespace": source.whitespace,
        "lenient": source.lenient,
        "options": dict(options),
    }
    return [json.dumps(content).encode(), source.text.encode()]


def read_request(parts: list[bytes]) -> tuple[Source, dict[str, Any]]:
    """The inverse of `request_message`."""
    content = json.loads(parts[0])
    text = parts[1].decode()
    language, whitespace, lenient = Language(content["language"]), content["whitespace"], content["lenient"]
    return Source(language, text, whitespace=whitespace, lenient=lenient), content["options"]


def answer_message(source: Source, backend: Backend, build: Build) -> list[bytes]:
    """The result of `build` on `source` as parts of a message, or its error."""
    try:
        result, notes = _prepare_and_build(source, backend, build)
    except (GuardError, BackendError) as error:
        message = _on_a_screen(str(error)) if isinstance(error, BackendError) else str(error)
        kind = next(kind for kind in (BackendError, UnsupportedError, GuardError) if isinstance(error, kind))
        return [json.dumps({"name": kind.__name__, "message": message}).encode(), b""]
    except RecursionError:
        message = (
            f"a {source.language} must be nested less deeply, references included: flatten it, with fewer references"
        )
        return [json.dumps({"name": "GuardError", "message": message}).encode(), b""]
    except MemoryError:
        return [json.dumps({"name": "MemoryError", "message": ""}).encode(), b""]
    except Exception:
        return [json.dumps({"name": "RuntimeError", "message": traceback.format_exc(limit=-3)}).encode(), b""]
    finally:
        forget()
    return [json.dumps(asdict(notes)).encode(), result]


def read_answer(parts: list[bytes]) -> tuple[bytes, Notes]:
    """The compiled form, and the notes on it. Raises NotCompiledError."""
    content: dict[str, Any] = json.loads(parts[0])
    if "name" in content:
        raise NotCompiledError(content["name"], content["message"])
    return parts[1], Notes(content["left_out"], content["typos"])


def _prepare_and_build(source: Source, backend: Backend, build: Build) -> tuple[bytes, Notes]:
    if source.language is Language.JSON_SCHEMA:
        schema = schema_text(source.text)
        check_characters(f"a {source.language}", schema)  # an escape may mean an unpaired surrogate
        text, left_out = prepared(schema, backend, source.lenient, source.whitespace)
        result, also = build(replace(source, text=text))
        return result, Notes([*left_out, *also], list(typos(schema)))
    if source.language is not Language.REGEX:
        return _with_notes(build(source))
    try:
        return _with_notes(build(replace(source, text=prepared_regex(source.text, backend))))
    except BackendError as error:
        named: UnsupportedError | None = why_unreadable(source.text)
        raise (error if named is None else named) from error


def _with_notes(built: tuple[bytes, list[str]]) -> tuple[bytes, Notes]:
    result, left_out = built
    return result, Notes(left_out)


def _on_a_screen(words: str) -> str:
    """A backend's message, which may quote a whole source, cut to a readable length."""
    lines = words[:MAX_WORDS].split("\n")
    cut = [line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…" for line in lines[:MAX_LINES]]
    return "\n".join(cut)
