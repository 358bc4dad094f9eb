"""Known differences between guards, `jsonschema` and `re`, which `ngramspec fuzz` counts separately.

Without them it would fail on sound schemas. docs/upstream.md lists them all. Each rule proves that it applies: it
changes the text, or the schema, in the one respect that it is about, and the guard must then agree. A difference that
no rule explains is a defect.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint, ConstraintKind, dumped
from ngramspec.testing.fuzzing.ordering import in_order

UNALIKE = frozenset({"Cn", "Mn", "Mc", "Me", "Pc", "Cf", "No", "Nl", "So"})
"""Categories of Unicode on which Rust's regex crate and `re` do not agree, or not in every version."""


@dataclass(frozen=True, slots=True)
class Case:
    """A text that a guard accepts, or refuses, against `jsonschema`."""

    constraint: Constraint
    guard: Guard
    backend: Backend
    text: str
    is_accepted: bool

    @property
    def value(self) -> Any:
        """The JSON value, with control characters in strings allowed."""
        return json.loads(self.text, strict=False)

    def agrees_on(self, text: str) -> bool:
        """Whether the guard and `jsonschema` agree on `text`, with its keys in any order."""
        accepted = self.guard.accepts(text) or replace(self, text=text).fits_in_order()
        return accepted is self.constraint.verdict(text)

    def fits_in_order(self) -> bool:
        """Whether the guard accepts the text's JSON with its keys in some order.

        The schema's order is tried first, and the text's own with undeclared names last.
        """
        names = list(dict.fromkeys(_names(self.constraint.schema)))
        ranks = ({name: rank for rank, name in enumerate(names)}, dict.fromkeys(names, 0))
        return any(in_order(self.guard, self.value, each) is not None for each in ranks)


def _is_order(case: Case) -> bool:
    """Keys come in the order of the schema, so the same object with its keys in that order is accepted."""
    is_plain = "\\" not in case.text or case.text == dumped(case.value)  # otherwise its escapes may be the reason
    is_for_spelling = case.guard.accepts(dumped(case.value))  # then it is a number's spelling, or a space
    return is_plain and not case.is_accepted and not is_for_spelling and case.fits_in_order()


def _is_space(case: Case) -> bool:
    """No space comes before or after a JSON text."""
    plain = case.text.strip()
    return not case.is_accepted and plain != case.text and case.agrees_on(plain)


def _is_draft(case: Case) -> bool:
    """Guards enforce `dependencies` in a schema of a later draft, in which the keyword has no meaning."""
    without = _without(case.constraint.schema, "dependencies", dict)
    is_earlier = "json-schema.org/draft-0" in case.constraint.source
    is_heeded = not is_earlier and without != case.constraint.schema
    return not case.is_accepted and is_heeded and _agrees_with(case, without)


def _is_numeral(case: Case) -> bool:
    """A whole number is written only in its plain form: 1, not 1.0 or 1e0."""
    plain = dumped(_mapped(case.value, _plain_number))
    return not case.is_accepted and plain != dumped(case.value) and case.agrees_on(plain)


NUMERAL = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
"""A string, which is left alone, or a number."""


def _is_exponent(case: Case) -> bool:
    """Between bounds, or beside steps, not every number is written with an exponent; without one, all are."""
    plain = NUMERAL.sub(lambda found: _without_exponent(found[0]), case.text)
    return not case.is_accepted and plain != case.text and case.agrees_on(plain)


def _is_long(case: Case) -> bool:
    """The multiples of most numbers have at most 20 digits, those of large ones at most 12."""
    has_long = any(len(re.findall(r"\d", numeral)) > 12 for numeral in NUMERAL.findall(case.text))
    return not case.is_accepted and '"multipleOf"' in case.constraint.source and has_long


def _is_precise(case: Case) -> bool:
    """Between bounds xgrammar writes at most six digits after the point."""
    cut = NUMERAL.sub(lambda found: re.sub(r"^([^\"]*\.\d{6})\d+$", r"\1", found[0]), case.text)
    return case.backend == "xgrammar" and not case.is_accepted and cut != case.text and case.agrees_on(cut)


def _is_format(case: Case) -> bool:
    """A guard enforces a format; `jsonschema` by default treats it as an annotation."""
    without = _without(case.constraint.schema, "format", str)
    return not case.is_accepted and without != case.constraint.schema and _agrees_with(case, without)


def _agrees_with(case: Case, schema: Any) -> bool:
    """Whether a guard of `schema` agrees with `jsonschema` on the text."""
    try:
        guard = replace(case.constraint, source=dumped(schema)).guard(case.guard.vocabulary, backend=case.backend)
    except GuardError:
        return False
    return replace(case, guard=guard).agrees_on(case.text)


def _is_content(case: Case) -> bool:
    """In draft 7 a schema can require a string to be JSON, or base64; in later drafts, and guards, that is no rule."""
    return case.is_accepted and re.search('"content(Encoding|MediaType)"', case.constraint.source) is not None


def _is_spelling(case: Case) -> bool:
    """Letters written as escapes, `\\u0061`, are refused in most strings; xgrammar accepts them in names."""
    if case.is_accepted and case.backend == "llguidance":
        return False
    plain = dumped(case.value)
    return "\\" in case.text and plain != case.text and case.agrees_on(plain)


def _is_delete(case: Case) -> bool:
    """llguidance writes the character DEL, U+007F, only as an escape; JSON allows it unescaped."""
    plain = case.text.replace("\x7f", "x")
    return case.backend == "llguidance" and not case.is_accepted and plain != case.text and case.agrees_on(plain)


def _is_escape(case: Case) -> bool:
    """xgrammar's strings of bounded length, or with a pattern, consist of any characters but quotes and backslashes:
    they have no escapes, and may contain raw control characters, which JSON forbids."""
    plain = _mapped(case.value, _without_escapes)
    return case.backend == "xgrammar" and plain != case.value and case.agrees_on(dumped(plain))


def _is_name(case: Case) -> bool:
    """xgrammar also treats a property whose name is not plain ASCII as an undeclared one."""
    names = {name for name in _names(case.constraint.schema) if json.dumps(name) != f'"{name}"'}
    return case.backend == "xgrammar" and any(dumped(name) in case.text for name in names)


def _is_minus_zero(case: Case) -> bool:
    """In xgrammar -0 is not an integer."""
    return case.backend == "xgrammar" and re.search(r"(?<![\d.eE])-0(?![\d.])", case.text) is not None


def _is_letter(case: Case) -> bool:
    r"""Rust's `\w` includes marks and joiners, `re`'s all numerals; and each has its own version of Unicode."""
    has_class = re.search(r"\\[dws]", case.constraint.source, re.IGNORECASE) is not None
    return has_class and any(unicodedata.category(letter) in UNALIKE for letter in case.text if letter != "_")


def _is_ascii(case: Case) -> bool:
    r"""In xgrammar `\d` and `\w` are ASCII classes."""
    has_class = re.search(r"\\[dws]", case.constraint.source, re.IGNORECASE) is not None
    return case.backend == "xgrammar" and has_class and not case.text.isascii()


@dataclass(frozen=True, slots=True)
class Known:
    """A known difference, named as in docs/upstream.md, for constraints of one kind."""

    name: str
    explains: Callable[[Case], bool]
    kind: ConstraintKind = "schema"


SURROGATES = Known("xgrammar: halves of surrogate pairs", lambda _case: False)
"""It shows in bytes that are not text."""

KNOWN = (
    SURROGATES,
    Known("keys in another order", _is_order),
    Known("numbers with an exponent", _is_exponent),
    Known("whole numbers written as 1.0", _is_numeral),
    Known("multiples of many digits", _is_long),
    Known("spaces around a text", _is_space),
    Known("a format is demanded", _is_format),
    Known("keywords of another draft", _is_draft),
    Known("what a string contains is not looked at", _is_content),
    Known("letters written as escapes", _is_spelling),
    Known("llguidance: DEL in strings", _is_delete),
    Known("xgrammar: names beyond plain ASCII", _is_name),
    Known("xgrammar: strings of bounded length", _is_escape),
    Known("xgrammar: -0 is no integer", _is_minus_zero),
    Known("xgrammar: many digits after a point", _is_precise),
    Known(r"\d and \w of letters beyond the common ones", _is_letter, "regex"),
    Known(r"xgrammar: \d and \w are of ASCII", _is_ascii, "regex"),
)


def known_difference(
    constraint: Constraint, guard: Guard, backend: Backend, text: str, *, is_accepted: bool
) -> str | None:
    """The name of the known difference that explains why `guard` accepts `text`, or refuses it; None if none does."""
    case = Case(constraint, guard, backend, text, is_accepted)
    rules = (known for known in KNOWN if known.kind == constraint.kind)
    try:
        return next((known.name for known in rules if known.explains(case)), None)
    except ValueError:  # no rule excuses a text that is not JSON
        return None


def has_surrogates(written: bytes) -> bool:
    """Whether only surrogates keep `written` from being UTF-8: xgrammar's `.` matches each half of a pair."""
    try:
        written.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(name): _mapped(item, change) for name, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list) else change(value)


def _plain_number(item: Any) -> Any:
    return int(item) if isinstance(item, float) and item.is_integer() else item


def _without_exponent(numeral: str) -> str:
    is_string = numeral.startswith('"')
    return numeral if is_string or "e" not in numeral.lower() else format(Decimal(numeral), "f")


def _without_escapes(item: Any) -> Any:
    return re.sub(r'["\\\x00-\x1f]', "x", item) if isinstance(item, str) else item


def _names(schema: Any) -> Iterator[str]:
    """The names of all properties in `schema`."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        for item in schema.values():
            yield from _names(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _names(item)


def _without(schema: Any, keyword: str, kind: type) -> Any:
    """`schema` without a keyword; the type of its value distinguishes it from a property of that name."""
    if isinstance(schema, dict):
        kept = {name: item for name, item in schema.items() if name != keyword or not isinstance(item, kind)}
        return {name: _without(item, keyword, kind) for name, item in kept.items()}
    return [_without(item, keyword, kind) for item in schema] if isinstance(schema, list) else schema
