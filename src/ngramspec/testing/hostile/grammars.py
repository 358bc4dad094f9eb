"""Hostile grammars, in Lark and in GBNF."""

from random import Random

from ngramspec.testing.hostile.inputs import Generator, repeated


def _chain(size: int, _chance: Random, start: str, rule: str, last: str) -> str:
    count = max(1, size // len(rule.format("1000", "1000")))
    return start + "".join(rule.format(n, n + 1) for n in range(count)) + last.format(count)


def _lark_chain(size: int, chance: Random) -> str:
    return _chain(size, chance, "start: r0\n", "r{}: r{}\n", 'r{}: "a"\n')


def _terminal_chain(size: int, chance: Random) -> str:
    return _chain(size, chance, "start: T0\n", "T{}: T{}\n", 'T{}: "a"\n')


def _doubling(size: int, chance: Random) -> str:
    """Each terminal is the next one twice: a text of 2 ** n characters."""
    count = min(max(1, size // 15), 60)
    return "start: T0\n" + "".join(f"T{n}: T{n + 1} T{n + 1}\n" for n in range(count)) + f'T{count}: "a"\n'


def _gbnf_chain(size: int, chance: Random) -> str:
    return _chain(size, chance, "root ::= r0\n", "r{} ::= r{}\n", 'r{} ::= "a"\n')


def _nested(size: int, _chance: Random) -> str:
    return "start: " + "(" * (size // 2) + '"a"' + ")" * (size // 2) + "\n"


def _ambiguous(size: int, _chance: Random) -> str:
    return "start: item*\nitem: " + " | ".join(
        ['"a"', "item item", "item item item", '"(" start ")"'] * max(1, size // 40)
    )


def _with_json(size: int, chance: Random) -> str:
    schemas = (
        '{"type":"object","properties":{"a":{"type":"string"}}}', '{"type":"integer","multipleOf":9999991}',
        '{"type":"string","pattern":"^[^\\\\"]$"}', '{"$ref":"http://a/b"}', "[" * max(1, size),
        '{"type":"array","items":{"type":"integer"},"uniqueItems":true}',
    )  # fmt: skip
    return f"start: j\nj: %json {chance.choice(schemas)}\n"


def _directive(size: int, chance: Random) -> str:
    lines = (
        "%import common.INT", "%import /etc/passwd", '%llguidance {"no_forcing": true}', "%declare X", "%ignore /a*/",
        '%llguidance {"allow_initial_skip": true}', '%regex {"substring_chars": "abc"}', "%override start: x", "%",
    )  # fmt: skip
    starts = (
        "start: <|endoftext|>", "start: <[0-9]>", "start[max_tokens=3]: /.*/", "start[stop=/a/]: /.*/",
        "start[temperature=9]: /a/", "start[lazy]: /a*/", "start: @x", 'start: "a"',
    )  # fmt: skip
    return "\n".join([chance.choice(starts), *(chance.choice(lines) for _ in range(max(1, size // 100)))])


def _counts(size: int, chance: Random) -> str:
    inner = '"a"'
    for _ in range(min(6, max(1, size // 50))):
        inner = f"({inner}){{{chance.choice(('1,1000', '99999', '0,4000000000'))}}}"
    return f"start: {inner}\n"


def _odd_letters(size: int, chance: Random) -> str:
    letters = "".join(chance.choices("\u202e\u2028\x00\x1b\x7fé😀\ufeff\t:=|\"'/\\%@<>[](){}*+?~&,;#\n ab", k=size))
    return f"start: a\na: {letters}"


GENERATORS = {
    "grammars.chain": Generator("grammar", _lark_chain, "r02"),
    "grammars.terminal_chain": Generator("grammar", _terminal_chain, "d5"),
    "grammars.doubling": Generator("grammar", _doubling, "d4"),
    "grammars.gbnf_chain": Generator("grammar", _gbnf_chain, "d5"),
    "grammars.blank_lines": Generator("grammar", lambda size, _chance: "\n" * size, "r03"),
    "grammars.blank_lines_and_a_rule": Generator("grammar", lambda size, _chance: "\n" * size + 'start: "a"\n', "r03"),
    "grammars.names": Generator("grammar", lambda size, _chance: "a" * size + ' ::= "a"\n', "r03"),
    "grammars.words": Generator("grammar", lambda size, _chance: repeated("a ", size) + ":", "r03"),
    "grammars.comments": Generator("grammar", lambda size, _chance: 'start: "a"\n' + repeated("// x\n", size), "r03"),
    "grammars.gbnf_comments": Generator(
        "grammar", lambda size, _chance: 'root ::= "a"\n' + repeated("# x\n", size), "r03"
    ),
    "grammars.nested": Generator("grammar", _nested, "r02"),
    "grammars.gbnf_nested": Generator(
        "grammar", lambda size, chance: _nested(size, chance).replace("start:", "root ::="), "r02"
    ),
    "grammars.ambiguous": Generator("grammar", _ambiguous, "r14"),
    "grammars.with_json": Generator("grammar", _with_json, "d6"),
    "grammars.directives": Generator("grammar", _directive, "d6"),
    "grammars.counts": Generator("grammar", _counts, "r14"),
    "grammars.open_text": Generator("grammar", lambda size, _chance: 'start: "' + "\\" * size, "r03"),
    "grammars.open_regex": Generator("grammar", lambda size, _chance: "start: /" + "(" * size + "/\n", "d12"),
    "grammars.alternatives": Generator(
        "grammar", lambda size, _chance: "start: " + " | ".join(f'"{n}"' for n in range(max(1, size // 9))), "d4"
    ),
    "grammars.gbnf_set": Generator("grammar", lambda size, _chance: f"root ::= [{repeated('a-z', size)}]\n", "r03"),
    "grammars.odd_letters": Generator("grammar", _odd_letters, "r11"),
    "grammars.path": Generator(
        "grammar", lambda _size, chance: chance.choice(("/dev/zero.lark", "/etc/passwd", "a.gbnf")), "r08"
    ),
}  # fmt: skip
