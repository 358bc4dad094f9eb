"""A constraint, with texts that are known to be allowed or forbidden without a guard."""

import functools
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ngramspec.errors import shortened
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend

MAX_EXPONENT = 300
"""Largest exponent of a number in a text: floats end there, and beyond it implementations differ."""

ConstraintKind = Literal["schema", "regex", "grammar"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A JSON schema, a regex or a Lark grammar.

    source: the schema as JSON text, the pattern, the grammar. valid, invalid: texts whose verdict is known.
    """

    kind: ConstraintKind
    source: str
    valid: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        """Its name in reports."""
        return self.name or f"{self.kind} {shortened(self.source, 200)}"

    @property
    def schema(self) -> Any:
        """The parsed schema."""
        return json.loads(self.source)

    def guard(self, tokenizer: Any, *, backend: Backend = "llguidance") -> Guard:
        """The guard that enforces it. Raises GuardError, as the constructors of guards do."""
        if self.kind == "schema":
            return Guard.json_schema(self.source, tokenizer, backend=backend)
        make = Guard.regex if self.kind == "regex" else Guard.grammar
        return make(self.source, tokenizer, backend=backend)

    def verdict(self, text: str) -> bool | None:
        """Whether it allows `text`: by `jsonschema` or `re`, or as given; None if unknown."""
        if text in self.valid or text in self.invalid:
            return text in self.valid
        if self.kind == "regex":
            return _matches(self.source, text)
        return fits(self.source, text) if self.kind == "schema" else None


def fits(schema: str, text: str) -> bool | None:
    """Whether `text` is JSON that fits `schema`, by `jsonschema`; None if it cannot tell: duplicate keys, references
    to the network, numbers beyond floats, invalid schemas."""
    from jsonschema.exceptions import ValidationError
    from referencing.exceptions import Unresolvable

    try:
        validator, instance = _validator(schema), _read(text)
        if validator is not None:
            validator.validate(instance)
    except (_UnsureError, Unresolvable, OverflowError, re.error):
        return None
    except (ValueError, RecursionError, ValidationError):
        return False
    return None if validator is None else True


def why_unfit(schema: str, text: str) -> str | None:
    """The objection of `jsonschema` to `text`; None if it has none."""
    from jsonschema.exceptions import ValidationError

    if fits(schema, text) is not False:
        return None
    try:
        _validator(schema).validate(_read(text))
    except ValidationError as error:
        return f"{error.json_path}: {shortened(error.message, 200)}"
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return None


def _read(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse, parse_float=_exact, object_pairs_hook=_once)


@functools.lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """A validator of the draft that the schema names, else of the newest draft in which it is valid; None without one.

    Numbers are exact: in floats, 0.075 is not a multiple of 0.0001.
    """
    from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    read = json.loads(schema, parse_float=_exact)
    named = validator_for(read, default=None)
    drafts: list[Any] = [Draft202012Validator, Draft7Validator, Draft4Validator] if named is None else [named]
    for draft in drafts:
        try:
            draft.check_schema(read)
        except SchemaError:
            continue
        return draft(read)
    return None


def dumped(value: Any) -> str:
    """Compact JSON, with non-ASCII characters as they are: guards accept it unless their whitespace is "spaced"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@functools.lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _matches(pattern: str, text: str) -> bool | None:
    compiled = _pattern(pattern)
    return None if compiled is None else compiled.fullmatch(text) is not None


class _UnsureError(Exception):
    """JSON that implementations read differently."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise _UnsureError  # implementations differ in which value counts
    return read


def _exact(text: str) -> Decimal | int:
    number = Decimal(text)
    if number.adjusted() > MAX_EXPONENT:
        raise _UnsureError
    return int(number) if number == number.to_integral_value() else number


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")
