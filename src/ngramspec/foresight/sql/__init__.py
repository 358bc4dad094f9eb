"""SQL over tables that the prompt declares."""

from ngramspec.foresight.sql.text import SqlText

__all__ = ["SqlText"]
