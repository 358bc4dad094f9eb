"""JSON schemas as Lark grammars for llguidance; what a grammar expresses is enforced character by character.

A schema is first a formula: for each JSON type, a list of shapes of which one must hold (`alternatives.py`). A shape is
a conjunction of constraints on one type (`shapes.py`), and shapes are closed under negation; so `not`, `oneOf` and `if`
are arithmetic. Then each shape becomes rules (`objects.py`, `arrays.py`) and terminals, and rules without any text are
removed (`grammar.py`).

The algebra is that of Baazizi, Colazzo, Ghelli, Sartiani and Scherzinger, "Witness generation for JSON Schema" (2022):
object keywords as rules from sets of names to schemas, whose negation is that some member breaks them.
"""

from ngramspec.guards.schemas.lark.compiler import grammar_of

__all__ = ["grammar_of"]
