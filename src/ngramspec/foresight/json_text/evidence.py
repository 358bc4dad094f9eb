"""Evidence codes for JSON."""

from enum import IntEnum

from ngramspec.foresight.evidence import SURE


class JsonEvidence(IntEnum):
    """Codes for JSON, in addition to `Evidence`."""

    LISTED = 3
    """A value that the schema lists, and the prompt contains."""
    DEFAULT = 7
    """The first, or the default, of the values that the schema lists."""
    ORDER = 8
    """The next required name; optional ones may come before it."""
    OPTION = 9
    """The next optional name."""
    CLOSING = 10
    """An object ends, though more members are allowed."""
    LAST = 11
    """An array ends, though more items are allowed."""
    BOUNDARY = 12
    """A value ends, as it does in the prompt."""
    BLANK = 13
    """A value ends; in the prompt a blank follows it."""
    UNKNOWN = 14
    """A value ends that the prompt does not contain."""
    COUNTED = 16
    """The name's previous value with the next number; or the first number, if the schema's pattern ends with one."""
    SUGGESTED = 17
    """The schema suggests it (example, default or description), and the question contains it."""
    EXAMPLE = 18
    """The default, or the first example, of a schema that does not list all values."""
    BEGUN = 25
    """The schema suggests it, and the value read so far begins like it."""
    TYPE = 26
    """The beginning of a value of the first type, if several are allowed."""
    DATE = 27
    """A date from the prompt's end, in the form that the schema asks for."""


(
    LISTED,
    DEFAULT,
    ORDER,
    OPTION,
    CLOSING,
    LAST,
    BOUNDARY,
    BLANK,
    UNKNOWN,
    COUNTED,
    SUGGESTED,
    EXAMPLE,
    BEGUN,
    TYPE,
    DATE,
) = JsonEvidence
"""Module-level names, because looking up a member of an enum is slow in Python 3.11."""

OF_THE_SCHEMA = (SURE, ORDER, OPTION, CLOSING, LAST, BOUNDARY, BLANK, UNKNOWN, TYPE)
"""Codes of what depends on the schema alone: names, brackets, and the ends of values."""
