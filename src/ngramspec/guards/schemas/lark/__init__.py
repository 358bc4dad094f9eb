"""JSON schemas as Lark grammars for llguidance: what is said here is enforced letter by letter.

A schema is first a formula: for each type of values, a list of shapes of which one must hold (`alternatives.py`). A
shape is a conjunction of what one type can be asked for (`shapes.py`), and is closed under negation; so `not`, `oneOf`
and `if` are arithmetic. Then each shape becomes rules (`objects.py`, `arrays.py`) and terminals, and what leads to
no text is taken out (`grammar.py`).

The algebra is that of Baazizi, Colazzo, Ghelli, Sartiani and Scherzinger, "Witness generation for JSON Schema" (2022):
object keywords as rules from sets of names to schemas, whose negation says that some member breaks them.
"""

from ngramspec.guards.schemas.lark.compiler import grammar_of

__all__ = ["grammar_of"]
