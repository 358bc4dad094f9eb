"""Hostile schemas: each with something that multiplies."""

import json
from random import Random
from typing import Any

from ngramspec.testing.hostile.inputs import Generator, repeated
from ngramspec.testing.hostile.malformed import malformed


def _said(schema: Any) -> str:
    return json.dumps(schema, separators=(",", ":"))


def _chain(size: int, _chance: Random, links: int = 1, keyword: str = "allOf") -> str:
    """Definitions that refer to the next one, once or several times."""
    count = max(2, size // (30 * links))
    definitions = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * links} for n in range(count)}
    return _said({"$defs": definitions | {f"d{count}": {"type": "null"}}, "$ref": "#/$defs/d0"})


def _ring(size: int, _chance: Random) -> str:
    count = max(2, size // 50)
    definitions = {f"d{n}": {"properties": {"a": {"$ref": f"#/$defs/d{(n + 1) % count}"}}} for n in range(count)}
    return _said({"$defs": definitions, "$ref": "#/$defs/d0"})


def _names_to_the_fifth(size: int, _chance: Random) -> str:
    names = [f"p{n}" for n in range(max(1, size // 80))]

    def object_of(target: str) -> dict[str, Any]:
        return {
            "type": "object", "required": names, "properties": {key: {"$ref": f"#/$defs/{target}"} for key in names}
        }  # fmt: skip

    return _said({
        "$defs": {"D": object_of("D"), "E": object_of("E")}, "oneOf": [{"$ref": "#/$defs/D"}, {"$ref": "#/$defs/E"}]
    })  # fmt: skip


def _graph(size: int, chance: Random) -> str:
    """Definitions that refer to one another at random, combined with bounds."""
    count = max(2, size // 120)
    names = [f"d{n}" for n in range(count)]

    def one() -> dict[str, Any]:
        ways = [{"$ref": f"#/$defs/{chance.choice(names)}"} for _ in range(3)]
        keyword = chance.choice(("oneOf", "anyOf", "allOf", "not", "if"))
        inside: Any = ways[0] if keyword in ("not", "if") else ways
        return {"type": "object", "properties": {"a": {keyword: inside}, "b": ways[1]}, "required": ["a"]}

    return _said({"$defs": {name: one() for name in names}, "$ref": "#/$defs/d0"})


def _tagged(size: int, _chance: Random, *, is_tagged: bool = True) -> str:
    count = max(2, size // 80)
    ways = [
        {"properties": {"k": {"const": n if is_tagged else 0}, f"v{n}": {}}, "required": ["k", f"v{n}"]}
        for n in range(count)
    ]
    return _said({"oneOf": [{"type": "object", **way} for way in ways]})


def _conditions(size: int, _chance: Random) -> str:
    schema: dict[str, Any] = {"minimum": 3}
    for level in range(max(1, min(size // 60, 45))):
        schema = {"if": schema, "then": {"maximum": level}, "else": {"properties": {"y": schema}}}
        if len(json.dumps(schema)) > size:
            break
    return _said(schema)


def _product(size: int, _chance: Random) -> str:
    side = max(2, int((size / 30) ** 0.5))
    return _said({"allOf": [{"anyOf": [{"required": [f"{i}{j}"]} for j in range(side)]} for i in range(side)]})


def _nots(size: int, _chance: Random) -> str:
    schema: dict[str, Any] = {"properties": {f"p{n}": {"enum": ["a" * 9, n]} for n in range(max(1, size // 40))}}
    return _said({"type": "object", "not": schema})


def _patterns(size: int, _chance: Random) -> str:
    return _said({"type": "string", "allOf": [{"pattern": f"x{n}y"} for n in range(max(2, size // 20))]})


def _pattern_names(size: int, _chance: Random) -> str:
    return _said(
        {"type": "object", "patternProperties": {f"^a*b{n}": {"type": "null"} for n in range(max(2, size // 30))}}
    )


def _backtracking(size: int, _chance: Random) -> str:
    """A pattern that takes 2 ** n steps with backtracking, and a value to match."""
    return _said({"type": "string", "pattern": "^(a|a)*b$", "enum": ["a" * min(size, 1000), "b"]})


def _repeats(size: int, chance: Random) -> str:
    inner, depth = "a", min(60, max(1, size // 100))
    for _ in range(depth):
        inner = f"({inner}{chance.choice(('', 'b?', '|c'))}){{1,{chance.choice((9, 100, 1000))}}}"
    return _said({"type": "string", "pattern": f"^{inner}$"})


def _properties(size: int, chance: Random) -> str:
    names = [f"p{n}" for n in range(max(1, size // 30))]
    closing = chance.choice(({}, {"additionalProperties": False}, {"minProperties": len(names) // 2}))
    return _said({"type": "object", "properties": {key: {"type": "integer"} for key in names}, **closing})


def _long_names(size: int, chance: Random) -> str:
    letter = chance.choice(("a", "é", '"', "\\", "\x00", "😀", "\u202e"))
    names = [f"{letter * 500}{n}" for n in range(max(1, size // 520))]
    return _said({"type": "object", "properties": {key: {} for key in names}, "required": names[:3]})


def _one_long_name(size: int, _chance: Random) -> str:
    return _said({"type": "object", "properties": {"x" * size: {}}, "not": {"required": ["x" * size]}})


def _enum(size: int, chance: Random) -> str:
    values: list[Any] = [chance.choice((n, str(n), [n], {"a": n}, None, n / 7)) for n in range(max(2, size // 8))]
    return _said({"$schema": "http://json-schema.org/draft-04/schema#", "enum": values})


def _types(size: int, _chance: Random) -> str:
    return _said({"type": [*["string", 1, [], {}] * max(1, size // 20)]})


def _steps(size: int, chance: Random) -> str:
    steps = [chance.choice((97, 0.001, 9_999_991, 1e-9, 2**40 + 1)) for _ in range(max(1, size // 25))]
    return _said({"type": "number", "minimum": 0, "maximum": 10**12, "allOf": [{"multipleOf": step} for step in steps]})


def _counts(size: int, chance: Random) -> str:
    count = 10 ** min(9, len(str(size)))
    keyword, kind = chance.choice(
        (("maxLength", "string"), ("minLength", "string"), ("minItems", "array"), ("maxItems", "array"),
         ("minProperties", "object"), ("maxProperties", "object"))
    )  # fmt: skip
    return _said({"type": kind, keyword: count, "uniqueItems": True, "items": {"enum": [1, 2, 3]}})


def _unique(size: int, _chance: Random) -> str:
    return _said({"type": "array", "items": {"enum": list(range(max(2, size // 6)))}, "uniqueItems": True})


def _numbers(size: int, chance: Random) -> str:
    digits = "7" * min(size, 390)
    bounds = chance.choice(
        (f'"minimum":-{digits},"maximum":{digits}', f'"minimum":0.{digits}', '"exclusiveMinimum":0,"maximum":1e-300',
         f'"minimum":{"9" * size}', '"maximum":1e999999999')
    )  # fmt: skip
    return f'{{"type":"number",{bounds}}}'


def _dependencies(size: int, _chance: Random) -> str:
    count = max(1, size // 40)
    return _said({"dependentSchemas": {f"p{n}": {"required": [f"p{n + 1}"]} for n in range(count)}})


def _identifiers(size: int, _chance: Random) -> str:
    count = max(1, size // 60)
    parts = {f"d{n}": {"$id": f"x{n}/", "$anchor": f"a{n}", "$ref": f"../x{n + 1}/#a{n + 1}"} for n in range(count)}
    return _said({"$id": "http://a/", "$defs": parts, "items": {"$ref": "x0/#a0"}})


def _deep(size: int, _chance: Random, opening: str, closing: str) -> str:
    depth = max(1, size // (len(opening) + len(closing)))
    return opening * depth + "{}" + closing * depth


def _long_places(size: int, _chance: Random) -> str:
    schema: Any = {"anyOf": [{"minimum": n} for n in range(max(1, size // 30))]}
    for _ in range(40):
        schema = {"properties": {"n" * max(1, size // 100): schema}}
    return _said(schema)


GENERATORS = {
    "schemas.malformed": Generator("schema", lambda _size, chance: malformed(chance), "r12"),
    "schemas.chain": Generator("schema", _chain, "d5"),
    "schemas.fan": Generator("schema", lambda size, chance: _chain(size, chance, 3), "r04"),
    "schemas.fan_of_ways": Generator("schema", lambda size, chance: _chain(size, chance, 3, "oneOf"), "r04"),
    "schemas.ring": Generator("schema", _ring, "r04"),
    "schemas.graph": Generator("schema", _graph, "r04"),
    "schemas.names_to_the_fifth": Generator("schema", _names_to_the_fifth, "r04"),
    "schemas.tagged": Generator("schema", _tagged, "d11"),
    "schemas.untagged": Generator("schema", lambda size, chance: _tagged(size, chance, is_tagged=False), "d11"),
    "schemas.conditions": Generator("schema", _conditions, "r04"),
    "schemas.product": Generator("schema", _product, "d4"),
    "schemas.nots": Generator("schema", _nots, "r04"),
    "schemas.patterns": Generator("schema", _patterns, "d4"),
    "schemas.pattern_names": Generator("schema", _pattern_names, "d4"),
    "schemas.repeats": Generator("schema", _repeats, "r14"),
    "schemas.backtracking": Generator("schema", _backtracking, "r14"),
    "schemas.properties": Generator("schema", _properties, "d10"),
    "schemas.long_names": Generator("schema", _long_names, "d10"),
    "schemas.one_long_name": Generator("schema", _one_long_name, "d10"),
    "schemas.enum": Generator("schema", _enum, "r12"),
    "schemas.types": Generator("schema", _types, "r12"),
    "schemas.steps": Generator("schema", _steps, "d6"),
    "schemas.counts": Generator("schema", _counts, "d10"),
    "schemas.unique": Generator("schema", _unique, "r12"),
    "schemas.numbers": Generator("schema", _numbers, "d3"),
    "schemas.least_integer": Generator("schema", lambda _size, _chance: _said({"const": -(2**63)}), "d3"),
    "schemas.dependencies": Generator("schema", _dependencies, "r04"),
    "schemas.identifiers": Generator("schema", _identifiers, "r12"),
    "schemas.long_places": Generator("schema", _long_places, "d12"),
    "schemas.deep_lists": Generator("schema", lambda size, _chance: "[" * size, "r12"),
    "schemas.deep_items": Generator("schema", lambda size, chance: _deep(size, chance, '{"items":', "}"), "r12"),
    "schemas.deep_nots": Generator("schema", lambda size, chance: _deep(size, chance, '{"not":', "}"), "r12"),
    "schemas.blanks": Generator("schema", lambda size, _chance: " " * size + "{}", "r03"),
    "schemas.backslashes": Generator("schema", lambda size, _chance: '{"title":"' + "\\" * size, "r03"),
    "schemas.quotes": Generator("schema", lambda size, _chance: repeated('"', size), "r03"),
    "schemas.keys_twice": Generator("schema", lambda size, _chance: "{" + repeated('"a":1,', size) + '"a":1}', "d9"),
}
