"""Evidence codes for SQL."""

from enum import IntEnum


class SqlEvidence(IntEnum):
    """Codes for SQL, in addition to `Evidence`."""

    TABLE = 19
    """A table that the prompt declares."""
    COLUMN = 20
    """A column that the prompt declares and its question mentions."""
    CLAUSE = 21
    """Keywords and signs between names."""
    UNMENTIONED = 22
    """A column that the prompt declares."""
    CALL = 23
    """A function call that the question asks for."""
    KEY = 24
    """A column that joins two tables."""


TABLE, COLUMN, CLAUSE, UNMENTIONED, CALL, KEY = SqlEvidence
"""Module-level names, because looking up a member of an enum is slow in Python 3.11."""
