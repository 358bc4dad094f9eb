"""What speaks for a piece of SQL, beside `Evidence`."""

from enum import IntEnum


class SqlEvidence(IntEnum):
    """Codes of SQL's own."""

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
