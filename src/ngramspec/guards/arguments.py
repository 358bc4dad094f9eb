"""What users pass to guards: each mistake is named, with the way out; and what is probably one is warned of."""

import warnings
from collections.abc import Iterable
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import Any

from ngramspec.errors import GuardError, GuardWarning, shortened
from ngramspec.guards import library
from ngramspec.guards.markers import Marker
from ngramspec.guards.schemas import is_type, open_classes, slips
from ngramspec.guards.vocabulary import Vocabulary


def ids_of(eos_token_id: Any) -> list[int]:
    """Token ids, of one or several; raises GuardError for what is none."""
    try:
        ids = [eos_token_id] if not isinstance(eos_token_id, Iterable) else list(eos_token_id)
        return [index(token) for token in ids]
    except TypeError as error:  # a text, a number with a fraction, an array without dimensions
        raise GuardError(f"eos_token_id must be a token id or a list of them, got {shortened(eos_token_id)}") from error


def warn_of_slips(schema: Any, text: str) -> None:
    """Warn, as of the caller's caller, of what `schema`, whose JSON is `text`, probably does not mean."""
    for slip in slips(text):
        warnings.warn(f"a schema's keys must be JSON Schema's to count, got {slip}", GuardWarning, stacklevel=3)
    for name, fields in open_classes(text) if is_type(schema) else ():
        _warn_of_open(name, fields)


@lru_cache(maxsize=1024)
def _warn_of_open(name: str, schema: str) -> None:
    """Warn, as of the caller of `Guard.json_schema`; once for each class, as long as it is among the latest."""
    warnings.warn(
        f"a class should forbid keys that it does not name, or a model may invent them without end, got {name}, which"
        f' is open: write class {name}(BaseModel, extra="forbid"), or in a dataclass or TypedDict'
        ' __pydantic_config__ = {"extra": "forbid"}; extra="allow" says that they are wanted',
        GuardWarning,
        stacklevel=4,
    )


def grammar_text(text_or_path: str | Path) -> str:
    """A grammar's text, of a text or path; raises GuardError for what is none."""
    text = _read(text_or_path)
    _check_has_rules(text)
    return text


def _read(text_or_path: str | Path) -> str:
    if not isinstance(text_or_path, str | Path):
        raise GuardError(f"a grammar must be a text or a Path, got {shortened(text_or_path)}{way_out_of(text_or_path)}")
    path = Path(text_or_path)
    is_one_line = isinstance(text_or_path, str) and "\n" not in text_or_path
    if isinstance(text_or_path, str) and not (is_one_line and path.suffix in (".lark", ".gbnf", *_NO_GRAMMARS)):
        return text_or_path
    if path.suffix in _NO_GRAMMARS:
        raise GuardError(
            f"a grammar is Lark or GBNF, got {str(path)!r}: call {_NO_GRAMMARS[path.suffix]} with its content"
        )
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise GuardError(f"a grammar's path must be a file's, got {str(path)!r}: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or a path with a character of code 0
        raise GuardError(f"a grammar's file must be text in UTF-8, got {str(path)!r}: {error}") from error


def _check_has_rules(text: str) -> None:
    """Raise GuardError for a text in which nothing can be a rule, with what it probably is instead."""
    if ":" in text and not (text.lstrip().startswith("{") and '"grammars"' not in text):
        return
    if text.strip() in library.names():
        way_out = f"call Guard.load({text.strip()!r})"
    elif text.lstrip().startswith("{"):
        way_out = "call Guard.json_schema with a JSON schema"
    else:
        way_out = "call Guard.regex with a regex, or write 'start: …'"
    raise GuardError(f"a grammar must have rules, in Lark or GBNF, got {shortened(text)}: {way_out}")


_NO_GRAMMARS = {".regex": "Guard.regex", ".json": "Guard.json_schema"}
"""Files that are no grammars, by how they end, and who takes what is in them."""


def way_out_of(value: object) -> str:
    """What an error adds where the arguments have changed places."""
    is_tokenizer = isinstance(value, Vocabulary) or hasattr(value, "backend_tokenizer")
    return ": the tokenizer comes second" if is_tokenizer else ""


def check_text(text: object) -> None:
    """Raise GuardError for what is no text."""
    if not isinstance(text, str):
        raise GuardError(f"a text must be a str, got {shortened(text)}: decode tokens or bytes first")


def check_marker(name: str, marker: str) -> None:
    """Raise GuardError for what is no text, or an empty one."""
    if not isinstance(marker, str) or not marker:
        raise GuardError(f"{name} must be a text of at least one character, got {shortened(marker)}")
    check_characters(name, marker)


def check_written(marker: Marker, vocabulary: Vocabulary) -> None:
    """Raise GuardError for a marker that the tokens cannot write."""
    progress = 0
    while progress < len(marker.text):
        token = marker.next_token(progress, vocabulary.eos_tokens)
        if token >= len(vocabulary):
            raise GuardError(
                f"a marker that max_tokens forces must be text of this tokenizer, got {marker.text.decode()!r}"
            )
        progress += len(vocabulary.tokens[token])


def check_characters(name: str, text: str) -> None:
    """Raise GuardError for half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GuardError(
            f"{name} must be text, got half a surrogate pair at {error.start}: {shortened(text)}"
        ) from error
