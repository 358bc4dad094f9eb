"""GBNF, the grammar notation of llama.cpp, as Lark for llguidance: the same language, character by character.

llguidance's own converter turns rules into lexer tokens, which match greedily: `[a-z]+ "c"` then refuses "abc", and
llama.cpp's grammar of arithmetic accepts no text at all. Here each character is a token, so nothing is greedy. The two
notations are otherwise so close that one pass from left to right suffices.
"""

import re
from collections.abc import Iterator

from ngramspec.errors import shortened
from ngramspec.guards.types import BackendError

_TOKENS = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    | (?P<rule>[\w-]+)\s*::=
    | (?P<name>[\w-]+)
    | "(?P<literal>(?:[^"\\\n]|\\.)*)"
    | \[(?P<set>(?:[^]\\\n]|\\.)*)\]
    | (?P<any>\.)
    | (?P<repeat>[*+?]|\{\s*\d+\s*(?:,\s*\d*\s*)?\})
    | (?P<open>\()
    | (?P<close>\))
    | (?P<bar>\|)""",
    re.VERBOSE,
)
_REPEATABLE = ("name", "literal", "set", "any", "close")
_CHARACTER = re.compile(r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)|([^\\])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def lark_of(gbnf: str) -> str:
    """The same language in Lark. Raises BackendError, with the line, if `gbnf` is not valid."""
    return _Import(gbnf).lark()


class _Import:
    def __init__(self, text: str) -> None:
        self.text = text
        self.names = {"root": "start"}  # names in GBNF may have hyphens and capitals, so in Lark they become r1, r2, …
        self.defined: set[str] = set()
        self.used: dict[str, int] = {"root": 0}
        self.opened: list[int] = []

    def lark(self) -> str:
        out: list[str] = []
        before: str | None = None
        for kind, found, position in self._tokens():
            if kind == "repeat" and before not in _REPEATABLE:
                raise self._error("a repetition sign must follow what it repeats", found, position)
            if kind != "rule" and not self.defined:
                raise self._error("a grammar must begin with a rule, name ::= …", found, position)
            out.append(self._lark_of(kind, found, position))
            before = kind
        self._check_closed()
        for name, position in self.used.items():
            if name not in self.defined:
                raise self._error("there must be a rule for each name, and one for root", name, position)
        return " ".join(out)

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        """Kind, text and position of each token."""
        position = 0
        while position < len(self.text):
            token = _TOKENS.match(self.text, position)
            if token is None or token.lastgroup is None:
                raise self._error(
                    "rules must consist of names, texts, sets, groups and signs", self.text[position:], position
                )
            if token.lastgroup != "blank":
                yield token.lastgroup, token[token.lastgroup], position
            position = token.end()

    def _lark_of(self, kind: str, found: str, position: int) -> str:
        match kind:
            case "rule":
                return f"\n{self._define(found, position)}:"
            case "name":
                self.used.setdefault(found, position)
                return self._name(found)
            case "literal":
                characters = "".join(f" /{_code(character)}/" for character, _ in self._characters(found, position))
                return f"({characters or chr(34) * 2})"
            case "set":
                return f"/{self._set(found, position)}/"
            case "any":
                return "/(?s:.)/"
            case "repeat":
                return re.sub(r"\{(\d+)\}", r"{\1,\1}", re.sub(r"\s", "", found))
            case "open":
                self.opened.append(position)
            case "close":
                if not self.opened:
                    raise self._error("a group must be opened before it is closed", found, position)
                self.opened.pop()
        return found

    def _define(self, name: str, position: int) -> str:
        self._check_closed()
        if name in self.defined:
            raise self._error("a rule must be defined once", name, position)
        self.defined.add(name)
        return self._name(name)

    def _name(self, name: str) -> str:
        return self.names.setdefault(name, f"r{len(self.names)}")

    def _check_closed(self) -> None:
        if self.opened:
            raise self._error("a group must be closed in its rule", "(", self.opened[-1])

    def _set(self, found: str, position: int) -> str:
        """A set of characters in the syntax of Rust's regex crate. An escaped sign means itself."""
        negation = "^" if found.startswith("^") else ""
        characters = self._characters(found.removeprefix("^"), position)
        written = [
            "-" if character == "-" and not is_escaped and 0 < index < len(characters) - 1 else _code(character)
            for index, (character, is_escaped) in enumerate(characters)
        ]
        if not written:
            raise self._error("a set must have at least one character", f"[{found}]", position)
        return f"[{negation}{''.join(written)}]"

    def _characters(self, found: str, position: int) -> list[tuple[str, bool]]:
        """The characters that `found` stands for, and whether they were escaped."""
        characters = []
        for match in _CHARACTER.finditer(found):
            two, four, eight, escaped, plain = match.groups()
            code = two or four or eight
            is_no_character = code and (int(code, 16) > 0x10FFFF or 0xD800 <= int(code, 16) <= 0xDFFF)
            if is_no_character or (escaped and escaped.isalnum() and escaped not in _ESCAPED):
                raise self._error(
                    r"an escape must be \n, \r, \t, \xNN, \uNNNN, \UNNNNNNNN or \ and a sign", match[0], position
                )
            character = chr(int(code, 16)) if code else _ESCAPED.get(escaped, escaped) or plain
            characters.append((character, plain is None))
        return characters

    def _error(self, rule: str, found: str, position: int) -> BackendError:
        line = self.text.count("\n", 0, position) + 1
        return BackendError(f"line {line} of the GBNF: {rule}, got {shortened(found)}")


def _code(character: str) -> str:
    return f"\\x{{{ord(character):X}}}"
