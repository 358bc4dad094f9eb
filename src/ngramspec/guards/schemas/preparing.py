"""From the user's schema to the text that a backend compiles."""

from decimal import Decimal

from ngramspec.errors import GuardError, UnsupportedError, shortened
from ngramspec.guards.schemas import for_llguidance, for_xgrammar
from ngramspec.guards.schemas.constructs import missing
from ngramspec.guards.schemas.parsing import parsed
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.reading import read
from ngramspec.guards.schemas.refusing import Refuser
from ngramspec.guards.schemas.work import budget
from ngramspec.guards.schemas.xgrammar_patterns import regex_in_xgrammar
from ngramspec.guards.source import Backend, Whitespace

MAX_LETTERS = 500_000
"""Longest schema, in characters: reading a longer one takes many seconds before a backend's own limits apply."""
DIALECTS = {"llguidance": for_llguidance, "xgrammar": for_xgrammar}


def prepared(text: str, backend: Backend, lenient: bool, whitespace: Whitespace = "flexible") -> tuple[str, list[str]]:
    """The text that the backend compiles and enforces in full, a schema for xgrammar or a Lark grammar for llguidance,
    and what was left out of the schema `text` for that.

    Raises GuardError if it is not a valid schema, and UnsupportedError, unless lenient, for what is left out.
    """
    if len(text) > MAX_LETTERS:
        raise GuardError(
            f"a schema must have at most {MAX_LETTERS} letters, got {len(text)}: leave out what is not used"
        )
    refuser = Refuser(backend, DIALECTS[backend].reason)
    with budget():
        said = _in_lark(text, refuser, whitespace) if backend == "llguidance" else _for_xgrammar(text, refuser)
    if refuser.refusals and not lenient:
        is_enforced = backend == "xgrammar" and _llguidance_enforces(text)
        raise refuser.error("backend='llguidance' does enforce it all; " if is_enforced else "")
    return said, [str(refusal) for refusal in refuser.refusals]


def _in_lark(text: str, refuser: Refuser, whitespace: Whitespace) -> str:
    root, definitions = read(parsed(text, _exact))
    return for_llguidance.grammar_text(root, definitions, refuser, whitespace)


def _for_xgrammar(text: str, refuser: Refuser) -> str:
    root, definitions = read(parsed(text))
    schemas = for_xgrammar.adapted({"": root} | definitions)
    return for_xgrammar.schema_text({name: refuser.enforced(schema) for name, schema in schemas.items()})


def _llguidance_enforces(text: str) -> bool:
    """Whether llguidance enforces all of the schema `text`, found by trying."""
    try:
        prepared(text, "llguidance", lenient=False)
    except (GuardError, RecursionError):
        return False
    return True


def _exact(number: str) -> Decimal | int:
    """A number written with a point or an exponent, exactly."""
    found = Decimal(number)
    return int(found) if found == found.to_integral_value() else found


def prepared_regex(pattern: str, backend: Backend) -> str:
    """A regex with the same meaning for the backend.

    Raises UnsupportedError for what xgrammar would ignore or misread (llguidance raises on that itself), and GuardError
    if a backslash has nothing to escape.
    """
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise GuardError(
            f"a backslash must escape something, got one at the end of {shortened(pattern)}: write two for a backslash"
        )
    if backend != "xgrammar":
        return pattern
    try:
        return regex_in_xgrammar(pattern)
    except PatternError as error:
        able = "backend='llguidance' does" if _llguidance_compiles(pattern) else f"no backend does{_instead(pattern)}"
        raise UnsupportedError(
            f"all of a regex must be enforced, but xgrammar does not support {error}, got {shortened(pattern)}: {able}"
        ) from error


def why_unreadable(pattern: str) -> UnsupportedError | None:
    """The error that names a construct in `pattern` that no backend supports; None if there is none."""
    found = missing(pattern)
    if found is None:
        return None
    return UnsupportedError(
        f"all of a regex must be enforced, got {found.name}, {found.text} at position {found.position} of"
        f" {shortened(pattern)}, which no backend supports: {found.instead}"
    )


def _instead(pattern: str) -> str:
    found = missing(pattern)
    return "" if found is None else f": {found.instead}"


def _llguidance_compiles(pattern: str) -> bool:
    """Whether llguidance compiles `pattern`, found by trying."""
    from llguidance import LLMatcher

    is_error, _ = LLMatcher.validate_grammar_with_warnings(LLMatcher.grammar_from_regex(pattern))
    return not is_error
