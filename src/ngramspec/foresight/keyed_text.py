"""Text of a regex or a grammar: values that stand behind their names, as in `key=value`, and SQL."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.sql import IS_SQL, Sql, Tables
from ngramspec.foresight.values import Values

_TAIL = 120
"""Characters at the end of the text in which a name and its value are looked for."""

_MOST = 2000
"""Of a text its last characters are kept."""

_AT_VALUE = re.compile(r"""([A-Za-z_][\w.-]*)\s?(?:[=:]|[Ll][Ii][Kk][Ee])\s?(["']?)([^"'\n=]{0,40})$""")


class KeyedText:
    """A `Text` whose values are looked for in the prompt."""

    def __init__(self, prompt: Callable[[], str]) -> None:
        """prompt: the row's, asked for when it is needed."""
        self._asked = prompt

    @cached_property
    def _prompt(self) -> str:
        return self._asked()

    @cached_property
    def _values(self) -> Values:
        return Values(self._prompt)

    @cached_property
    def _sql(self) -> Sql | None:
        tables = Tables(self._prompt)
        return Sql(tables) if tables.all else None

    def start(self) -> str:
        """See `Text`; a place is the end of the text until there."""
        return ""

    def read(self, place: str, text: str) -> str:
        """See `Text`."""
        return (place + text)[-_MOST:]

    def foresee(self, place: str) -> Iterator[Piece]:
        """See `Text`: the rest of a value, and the quote that ends it."""
        if IS_SQL.fullmatch(place) and self._sql is not None:
            yield from self._sql.foresee(place)
            return
        found = _AT_VALUE.search(place[-_TAIL:])
        if found is not None:
            name, quote, begun = found.groups()
            value = self._values.plain(name.rpartition(".")[2], begun, is_text=bool(quote))
            if value is not None:
                yield Piece(value.text[len(begun) :] + quote, value.evidence)

    def is_whole(self, place: str) -> bool:
        """See `Text`: nobody can say."""
        return False
