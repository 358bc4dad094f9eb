"""What llguidance enforces of a schema in normal form: all that a Lark grammar can say."""

from ngramspec.guards.schemas.lark import grammar_of
from ngramspec.guards.schemas.lark.keywords import ENDLESS
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.refusing import Refuser
from ngramspec.guards.schemas.terminals import NotSayableError, numbers, strings
from ngramspec.guards.source import Whitespace

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LEAST = ("minLength", "minItems", "minProperties", "minContains")
DYNAMIC = ("$dynamicRef", "$recursiveRef")


def reason(node: Node, keyword: str) -> str | None:
    """Why `keyword` can never be enforced; what depends on more than the keyword shows when all is put together."""
    if keyword in DYNAMIC:
        return "what it names depends on who refers to it"
    if keyword in LEAST and node[keyword] >= ENDLESS:
        return f"no text is as long; llguidance counts to {ENDLESS - 1}"
    try:
        if keyword in BOUNDS:
            numbers.exact(node[keyword])
        elif keyword == "multipleOf":
            numbers.terminal(multiple_of=[node[keyword]])
        elif keyword == "pattern":
            strings.terminal(patterns=[node["pattern"]])
        elif keyword == "format":
            strings.terminal(formats=[node["format"]])
        elif keyword == "patternProperties":
            for pattern in node["patternProperties"]:
                strings.terminal(patterns=[pattern])
    except NotSayableError as error:
        return str(error)
    return None


def said(root: Schema, definitions: dict[str, Schema], refuser: Refuser, whitespace: Whitespace) -> str:
    """The grammar, in Lark; what it cannot say is refused, and left out."""
    return grammar_of(root, definitions, whitespace, reason, refuser.refuse)
