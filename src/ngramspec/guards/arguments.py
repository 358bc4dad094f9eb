"""Checks of the arguments of guards: a mistake is an error that says what to do, a probable one a warning."""

import hashlib
import warnings
from collections.abc import Iterable
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import Any

from ngramspec.errors import GuardError, GuardWarning, shortened
from ngramspec.files.reading import Bounds
from ngramspec.guards import library
from ngramspec.guards.limits import Limits
from ngramspec.guards.markers import Marker
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.printing import named

MAX_MARKER = 1000
"""Longest marker, in characters: each token is compared with it at each of its positions."""


def ids_of(eos_token_id: Any) -> list[int]:
    """Token ids, from one id or several. Raises GuardError for anything else."""
    try:
        ids = [eos_token_id] if not isinstance(eos_token_id, Iterable) else list(eos_token_id)
        return [index(token) for token in ids]
    except TypeError as error:  # a text, a number with a fraction, an array without dimensions
        raise GuardError(f"eos_token_id must be a token id or a list of them, got {shortened(eos_token_id)}") from error


def warn_of_typos(typos: Iterable[str], open_classes: Iterable[tuple[str, str]]) -> None:
    """Warn about what a schema probably does not mean; the warning points at the caller's caller."""
    for slip in typos:
        warnings.warn(f"a schema's keys must be keywords of JSON Schema, got {slip}", GuardWarning, stacklevel=3)
    for name, fields in open_classes:
        _warn_of_open(name, hashlib.sha256(fields.encode()).digest())


@lru_cache(maxsize=1024)
def _warn_of_open(name: str, digest: bytes) -> None:
    """Warn at the caller of `Guard.json_schema`, once per class for the latest classes.

    digest: of the schema of the class.
    """
    warnings.warn(
        f"a class should forbid keys that it does not name, or a model may invent them without end, got {name}, which"
        f' allows them: write class {name}(BaseModel, extra="forbid"), or in a dataclass or TypedDict'
        ' __pydantic_config__ = {"extra": "forbid"}; extra="allow" says that they are wanted',
        GuardWarning,
        stacklevel=4,
    )


def grammar_file_text(path: str | Path, limits: Limits) -> str:
    """The text of a grammar file. Raises GuardError, which quotes none of it, if it is not text or is too long."""
    if not isinstance(path, str | Path):
        raise GuardError(f"a grammar's path must be a str or a Path, got {shortened(path)}{way_out_of(path)}")
    if Path(path).suffix in _NO_GRAMMARS:
        raise GuardError(
            f"a grammar's file must be Lark or GBNF, got {str(path)!r}: call {_NO_GRAMMARS[Path(path).suffix]} with its"
            " content"
        )
    bounds = Bounds("a grammar's file", GuardError, limits.max_source_bytes, "max_source_bytes of limits=Limits(…)")
    name = named(path)
    try:
        with bounds.opened(Path(path)) as file:
            return bounds.content(file, name).decode()
    except OSError as error:
        raise GuardError(f"a grammar's path must lead to a file, got {name!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise GuardError(
            f"a grammar's file must be text in UTF-8, got {name!r}: invalid at byte {error.start}"
        ) from None
    except ValueError as error:  # a path with a character of code 0, or half a surrogate pair
        if isinstance(error, GuardError):
            raise
        raise GuardError(f"a grammar's path must lead to a file, got {name!r}: no file can have that name") from None


def check_grammar(text: object) -> None:
    """Raise GuardError unless `text` may hold a rule; the error says what it probably is instead."""
    if isinstance(text, Path):
        raise GuardError(f"a grammar must be a text, got {shortened(text)}: call Guard.grammar_file with a path")
    if not isinstance(text, str):
        raise GuardError(f"a grammar must be a text, got {shortened(text)}{way_out_of(text)}")
    if ":" in text and not text.lstrip().startswith("{"):
        return
    if text.strip() in library.names():
        way_out = f"call Guard.load({text.strip()!r})"
    elif text.lstrip().startswith("{"):
        way_out = "call Guard.json_schema with a JSON schema"
    elif text.strip().endswith((".lark", ".gbnf")):
        way_out = "call Guard.grammar_file with a path"
    else:
        way_out = "call Guard.regex with a regex, or write 'start: …'"
    raise GuardError(f"a grammar must have rules, in Lark or GBNF, got {shortened(text)}: {way_out}")


def check_settings(limits: object, cache_salt: object) -> None:
    """Raise TypeError unless `limits` is a `Limits` and `cache_salt` a str."""
    if not isinstance(limits, Limits):
        raise TypeError(f"limits must be ngramspec.Limits(…), got {shortened(limits)}")
    if not isinstance(cache_salt, str):
        raise TypeError(f"cache_salt must be a str, got {shortened(cache_salt)}")


_NO_GRAMMARS = {".regex": "Guard.regex", ".json": "Guard.json_schema"}
"""By suffix: files that are not grammars, and the constructor for their content."""


def way_out_of(value: object) -> str:
    """The remedy that an error ends with if the arguments were swapped."""
    is_tokenizer = isinstance(value, Vocabulary) or hasattr(value, "backend_tokenizer")
    return ": the tokenizer comes second" if is_tokenizer else ""


def check_text(text: object) -> None:
    """Raise GuardError unless `text` is a str."""
    if not isinstance(text, str):
        raise GuardError(f"a text must be a str, got {shortened(text)}: decode tokens or bytes first")


def check_marker(name: str, marker: str) -> None:
    """Raise GuardError unless `marker` is a str of 1 to MAX_MARKER characters."""
    if not isinstance(marker, str) or not marker:
        raise GuardError(f"{name} must be a text of at least one character, got {shortened(marker)}")
    check_characters(name, marker)
    if len(marker) > MAX_MARKER:
        raise GuardError(f"{name} must have at most {MAX_MARKER} characters, got {len(marker)}: {shortened(marker)}")


def check_written(marker: Marker, vocabulary: Vocabulary) -> None:
    """Raise GuardError for a marker that the vocabulary cannot spell."""
    progress = 0
    while progress < len(marker.text):
        token = marker.next_token(progress, vocabulary.eos_tokens)
        if token >= len(vocabulary):
            raise GuardError(
                f"a marker that max_tokens forces must be text of this tokenizer, got {marker.text.decode()!r}"
            )
        progress += len(vocabulary.tokens[token])


def check_characters(name: str, text: str) -> None:
    """Raise GuardError for an unpaired surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GuardError(
            f"{name} must be text, got half a surrogate pair at {error.start}: {shortened(text)}"
        ) from error
