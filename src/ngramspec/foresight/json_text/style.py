"""How a JSON text is spaced."""

from typing import NamedTuple


class Style(NamedTuple):
    """The blanks after a colon, after a comma, and after a bracket, as far as they are known.

    indent: of each level, where brackets are followed by a new line; else None.
    """

    colon: str | None = None
    comma: str | None = None
    open: str | None = None
    indent: str | None = None

    def after_colon(self) -> str:
        """What comes between a colon and a value."""
        return " " if self.colon is None else self.colon

    def after_comma(self, depth: int) -> str:
        """What comes between a comma and what follows it, within `depth` brackets."""
        if self.indent is not None:
            return "\n" + self.indent * depth
        return self.after_colon() if self.comma is None else self.comma

    def after_open(self, depth: int) -> str:
        """What comes after a bracket that opens the level `depth`."""
        return "\n" + self.indent * depth if self.indent is not None else self.open or ""

    def before_close(self, depth: int) -> str:
        """What comes before the bracket that closes the level `depth`."""
        return "\n" + self.indent * (depth - 1) if self.indent is not None else self.open or ""


PLAIN = Style()
"""Nothing is known."""

COMPACT = Style("", "", "")
"""There are no blanks."""
