"""What llguidance enforces of a schema in normal form: all that a Lark grammar can express."""

from ngramspec.guards.schemas.lark import digits, grammar_of, leaves
from ngramspec.guards.schemas.lark.grammar import Grammar
from ngramspec.guards.schemas.lark.keywords import ENDLESS, demands
from ngramspec.guards.schemas.lark.shapes import ANYTHING, Numbers, all_of
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.refusing import Refuser
from ngramspec.guards.schemas.terminals import InexpressibleError, numbers, strings
from ngramspec.guards.source import Whitespace

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LEAST = ("minLength", "minItems", "minProperties", "minContains")
DYNAMIC = ("$dynamicRef", "$recursiveRef")


def reason(node: Node, keyword: str) -> str | None:
    """Why `keyword` can never be enforced; reasons that depend on other keywords are found while compiling."""
    if keyword in DYNAMIC:
        return "its target depends on the references that lead to it"
    if keyword in LEAST and node[keyword] >= ENDLESS:
        return f"no text is that long; llguidance counts to {ENDLESS - 1}"
    try:
        if keyword in BOUNDS:
            numbers.exact(node[keyword])
        elif keyword == "multipleOf":
            _check_steps(node)
        elif keyword == "pattern":
            strings.terminal(patterns=[node["pattern"]])
        elif keyword == "format":
            strings.terminal(formats=[node["format"]])
        elif keyword == "patternProperties":
            for pattern in node["patternProperties"]:
                strings.terminal(patterns=[pattern])
    except InexpressibleError as error:
        return str(error)
    return None


def _check_steps(node: Node) -> None:
    """Raise InexpressibleError if no grammar expresses the multiples between the bounds of `node`."""
    keywords = {keyword: node[keyword] for keyword in ("type", "multipleOf", *BOUNDS) if keyword in node}
    shapes = [
        shape for wanted, _ in demands(Node(keywords, node.location), "number", lambda *_: ANYTHING) for shape in wanted
    ]
    shape = all_of(shapes)
    if not isinstance(shape, Numbers):
        return
    try:
        list(leaves.of_numbers(shape))
    except InexpressibleError:
        if digits.bodies_of(shape, Grammar()) is None:
            raise


def grammar_text(root: Schema, definitions: dict[str, Schema], refuser: Refuser, whitespace: Whitespace) -> str:
    """The grammar, in Lark; keywords that it cannot express are refused, and left out."""
    return grammar_of(root, definitions, whitespace, reason, refuser.refuse)
