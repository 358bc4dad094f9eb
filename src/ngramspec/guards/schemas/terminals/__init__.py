"""Right sides of Lark terminals for llguidance: all JSON numerals, or all quoted JSON strings, that fit a description.

Texts and values have few spellings here, so that `&` and `~` mean the same on spellings as on values: what a terminal
does not match has another value, or is a spelling that no guard writes.
"""

from ngramspec.guards.schemas.terminals.terminal import InexpressibleError, Terminal

__all__ = ["InexpressibleError", "Terminal"]
