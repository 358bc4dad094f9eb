r"""Names of other properties that are no declared name in disguise, for llguidance.

llguidance compares names as they are written, so to it `"\u0061"` is another name than `"a"`, and the value of a
declared property would escape its schema. Names that fit no pattern may be written so, and in names that fit one the
control characters. Hence other properties get a pattern: that of all names which are not declared. Where this cannot
be said, no character may be written as `\u…`.
"""

from collections import defaultdict
from collections.abc import Collection

from ngramspec.guards.schemas.node import Node, Schema, children, mapped

ANY = r"[\s\S]"
MAX_NAME = 200
"""Letters of a name: the pattern of all others has a group inside of a group for each, and regexes bound that."""
WITHOUT_CODES = {"x-guidance": {"json_allowed_escapes": 'nrbtf\\"'}}
"""What keeps llguidance from writing any character by its code; control characters without a letter are lost."""


def with_others_by_pattern(schema: Schema) -> Schema:
    """Other properties by the pattern of their names, in the schema and all those inside of it."""
    if isinstance(schema, bool):
        return schema
    node = mapped(schema, with_others_by_pattern)
    if not _is_open(node) or not _is_sayable(node):
        return node
    others = node.get("additionalProperties", True)
    # Where any value will do, a declared name may fit the pattern too, if it has no second spelling there; and the
    # pattern of all names is the quickest.
    fits_all = others is True and all(map(str.isprintable, node["properties"]))
    pattern = f"^{ANY}*$" if fits_all else f"^{_all_but(node['properties'])}$"
    return node.with_({"patternProperties": {pattern: others}, "additionalProperties": False})


def is_left_open(schema: Schema) -> bool:
    """Whether a declared name could still be written as another one."""
    if isinstance(schema, bool):
        return False
    return _is_open(schema) or any(is_left_open(child) for _, child in children(schema))


def _is_open(node: Node) -> bool:
    declared = node.get("properties") or node.get("patternProperties")
    return bool(declared) and node.get("additionalProperties") is not False


def _is_sayable(node: Node) -> bool:
    """Names that fit no pattern are no pattern of ours, and llguidance does not count properties beside one."""
    if any(len(name) > MAX_NAME for name in node.get("properties", ())):
        return False
    return not node.keys() & {"patternProperties", "minProperties", "maxProperties"}


def _all_but(names: Collection[str]) -> str:
    """The regex of all texts that are none of `names`: letter by letter, along the tree of their beginnings."""
    rests: dict[str, list[str]] = defaultdict(list)
    for name in filter(None, names):
        rests[name[0]].append(name[1:])
    ways = [] if "" in names else [""]
    ways.append(f"[^{''.join(map(_coded, rests))}]{ANY}*" if rests else f"{ANY}+")
    ways += [_coded(letter) + _all_but(ends) for letter, ends in rests.items()]
    return f"({'|'.join(ways)})"


def _coded(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else letter
