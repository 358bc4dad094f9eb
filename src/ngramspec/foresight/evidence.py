"""What may speak for a piece of text that is foreseen."""

from enum import IntEnum
from typing import NamedTuple


class Evidence(IntEnum):
    """Kinds of evidence; how much each is worth is learnt (`drafting/core/survival.py`), by its number.

    Of two that speak for one token, the higher number is the less sure one.
    """

    SURE = 0
    """The schema leaves no choice."""
    FORCED = 1
    """The grammar says that these bytes must come."""
    KEYED = 2
    """The prompt has the value behind the name."""
    LISTED = 3
    """One of the values that the schema lists stands in the prompt."""
    QUOTED = 4
    """It stands in quotes in the prompt."""
    TYPED = 5
    """It stands in the prompt, and is of the type."""
    CAPITAL = 6
    """It stands in the prompt with capitals."""
    DEFAULT = 7
    """It is the first, or the default, of the values that the schema lists."""
    ORDER = 8
    """The next name that must come; others may come before it."""
    OPTION = 9
    """The next name that may come."""
    CLOSING = 10
    """An object ends, though more may come."""
    LAST = 11
    """An array ends, though more may come."""
    BOUNDARY = 12
    """A value ends: in the prompt it ends there."""
    BLANK = 13
    """A value ends: in the prompt a blank follows."""
    UNKNOWN = 14
    """A value ends: the prompt does not have it."""
    END = 15
    """The text is whole, and ends."""
    COUNTED = 16
    """What the name had before, with the next number; or the first one, where the schema's pattern says so."""
    SUGGESTED = 17
    """The schema has it as an example, default or in a description, and what is asked has it too."""
    EXAMPLE = 18
    """It is the default, or the first example, where the schema does not list all values."""
    TABLE = 19
    """One of the tables that the prompt declares."""
    COLUMN = 20
    """A column that the prompt declares, and that its question mentions."""
    CLAUSE = 21
    """What joins names in SQL."""
    UNMENTIONED = 22
    """A column that the prompt declares."""
    CALL = 23
    """A call of SQL that the question asks for."""
    KEY = 24
    """A column that joins two tables."""
    BEGUN = 25
    """The schema suggests it, and the text began like it."""
    TYPE = 26
    """A value begins as its first type does, where it may have several."""
    DATE = 27
    """It is a date of the prompt's end, written as the schema asks."""


CONTINUED = 32
"""Added to the evidence for what stands behind the first token of a piece."""


class Piece(NamedTuple):
    """Text that may come, and what speaks for it."""

    text: str
    evidence: Evidence
