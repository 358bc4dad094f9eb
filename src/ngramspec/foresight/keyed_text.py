"""Text of a regex or a grammar in which values follow their names, as in `key=value`."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.kinds import JSON_SCHEMA, Kind, register
from ngramspec.foresight.prompt_values import PromptValues

_TAIL = 120
"""Characters at the end of the text in which a name and its value are searched for."""

_MOST = 2000
"""Characters of a text that are kept, from its end."""

_AT_VALUE = re.compile(r"""([A-Za-z_][\w.-]*)\s?(?:[=:]|[Ll][Ii][Kk][Ee])\s?(["']?)([^"'\n=]{0,40})$""")


class KeyedText:
    """A `Text` whose values are searched for in the prompt."""

    def __init__(self, prompt: Callable[[], str]) -> None:
        """prompt: returns the row's prompt; called when needed."""
        self._prompt_of_row = prompt

    @cached_property
    def _prompt(self) -> PromptValues:
        return PromptValues(self._prompt_of_row())

    def start(self) -> str:
        """See `Text`; a cursor is the end of the text read so far."""
        return ""

    def read(self, cursor: str, text: str) -> str:
        """See `Text`."""
        return (cursor + text)[-_MOST:]

    def foresee(self, cursor: str) -> Iterator[Piece]:
        """See `Text`: the rest of a value, and the quote that ends it."""
        found = _AT_VALUE.search(cursor[-_TAIL:])
        if found is not None:
            name, quote, begun = found.groups()
            value = self._prompt.plain(name.rpartition(".")[2], begun, is_text=bool(quote))
            if value is not None:
                yield Piece(value.text[len(begun) :] + quote, value.evidence)

    def is_whole(self, cursor: str) -> bool:
        """See `Text`; unknown, so False."""
        return False


register(Kind("key=value", lambda grammar: grammar.language != JSON_SCHEMA, lambda _, prompt: KeyedText(prompt)))
