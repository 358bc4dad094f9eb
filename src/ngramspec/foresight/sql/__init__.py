"""SQL that asks of tables which the prompt declares."""

from ngramspec.foresight.sql.sql import IS_SQL, Sql
from ngramspec.foresight.sql.tables import Tables

__all__ = ["IS_SQL", "Sql", "Tables"]
