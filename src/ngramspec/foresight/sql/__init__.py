"""SQL that asks of tables which the prompt declares."""

from ngramspec.foresight.sql.text import SqlText

__all__ = ["SqlText"]
