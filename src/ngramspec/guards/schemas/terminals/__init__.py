"""Right sides of Lark terminals for llguidance: all JSON numerals, or all quoted JSON strings, of a description.

Each text and each value has so few spellings here that `&` and `~` on the spellings mean what they mean on the values:
what a terminal does not match is no such value, or a spelling that no guard writes.
"""

from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

__all__ = ["NotSayableError", "Terminal"]
