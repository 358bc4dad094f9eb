"""`assert_valid`: whether a guard allows a text and, if not, where the text violates it."""

from ngramspec.errors import shortened
from ngramspec.guards import Guard
from ngramspec.guards.source import Language
from ngramspec.testing.constraints import why_unfit

SHOWN = 60
"""Characters shown before and after the position where a text violates its guard."""


def assert_valid(guard: Guard, text: str) -> None:
    """Assert that `guard` accepts `text` as a whole; for a JSON schema, `jsonschema` must agree.

    >>> guard = Guard.json_schema(Invoice, tokenizer)                             # doctest: +SKIP
    >>> assert_valid(guard, '{"total": 12}')                                      # doctest: +SKIP

    Raises AssertionError, which shows where the text violates the guard, and what `jsonschema` says.
    """
    source = guard.source
    unfit = why_unfit(source.text, text) if source is not None and source.language is Language.JSON_SCHEMA else None
    said = "" if unfit is None else f"\njsonschema says: {unfit}"
    if not guard.accepts(text):
        raise AssertionError(f"{guard!r} does not allow {shortened(text, 200)}{_where(guard, text)}{said}")
    if unfit is not None:
        raise AssertionError(f"{guard!r} allows {shortened(text, 200)}, which does not fit its schema{said}")


def _where(guard: Guard, text: str) -> str:
    """Where the text violates the guard."""
    raw = text.encode(errors="surrogatepass")
    length = guard.legal_head(text)
    head = raw[:length].decode(errors="ignore")
    if length == len(raw):
        return f"\nit is legal so far, but not complete: more must follow {shortened(head[-SHOWN:], SHOWN + 2)}"
    rest = text[len(head) :]
    return (
        f"\nit violates the guard at character {len(head)}: {shortened(head[-SHOWN:], SHOWN + 2)} is a legal beginning,"
        f" {shortened(rest[:SHOWN], SHOWN + 2)} may not follow"
    )
