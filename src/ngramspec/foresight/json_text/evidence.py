"""What speaks for a piece of JSON, beside `Evidence`."""

from enum import IntEnum


class JsonEvidence(IntEnum):
    """Codes of JSON's own."""

    LISTED = 3
    """One of the values that the schema lists stands in the prompt."""
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
    COUNTED = 16
    """What the name had before, with the next number; or the first one, where the schema's pattern says so."""
    SUGGESTED = 17
    """The schema has it as an example, default or in a description, and what is asked has it too."""
    EXAMPLE = 18
    """It is the default, or the first example, where the schema does not list all values."""
    BEGUN = 25
    """The schema suggests it, and the text began like it."""
    TYPE = 26
    """A value begins as its first type does, where it may have several."""
    DATE = 27
    """It is a date of the prompt's end, written as the schema asks."""
