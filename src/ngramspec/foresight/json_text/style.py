"""How a JSON text is spaced."""

from typing import NamedTuple


class Style(NamedTuple):
    """The blanks after a colon, a comma and a bracket, as far as they are known.

    indent: per level, if a new line follows an opening bracket; else None.
    """

    colon: str | None = None
    comma: str | None = None
    open: str | None = None
    indent: str | None = None

    def after_colon(self) -> str:
        """Blanks between a colon and a value."""
        return " " if self.colon is None else self.colon

    def after_comma(self, depth: int) -> str:
        """Blanks after a comma within `depth` brackets."""
        if self.indent is not None:
            return "\n" + self.indent * depth
        return self.after_colon() if self.comma is None else self.comma

    def after_open(self, depth: int) -> str:
        """Blanks after the bracket that opens level `depth`."""
        return "\n" + self.indent * depth if self.indent is not None else self.open or ""

    def before_close(self, depth: int) -> str:
        """Blanks before the bracket that closes level `depth`."""
        return "\n" + self.indent * (depth - 1) if self.indent is not None else self.open or ""


PLAIN = Style()
"""Nothing is known."""

COMPACT = Style("", "", "")
"""There are no blanks."""
