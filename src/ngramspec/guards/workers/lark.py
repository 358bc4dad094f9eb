"""Lark for the backends: what would bypass our checks is handled here, or refused by name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ngramspec.errors import GuardError, UnsupportedError, shortened
from ngramspec.guards.schemas import prepared, schema_text, why_unreadable
from ngramspec.guards.source import Backend

_TOKENS = re.compile(
    r"""(?P<comment>(?:\#|//)[^\n]*)
    | (?P<string>"(?:\\.|[^"\\\x00-\x1f\x7f])*"i?)
    | /(?P<regex>(?:\\.|[^/\\])+)/[imslux]*
    | (?P<token><[^<>\s]+>)
    | %(?P<directive>json|regex|llguidance)\b
    | (?P<setting>stop|stop_capture|temperature|max_tokens)\s*=
    | (?P<name>[\w-]+)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_SETTINGS = {
    "stop": ("it would hide the text before it, and a guard's state is all of the text", "write suffix=… or lazy"),
    "stop_capture": ("captures are not read", "leave it out"),
    "temperature": ("a guard decides what may come, and samples nothing", "pass it to generate()"),
    "max_tokens": ("xgrammar counts no tokens", "bound the characters, as in /.{0,20}/, or use llguidance"),
}
"""Rule attributes that are not enforced: why not, and what to write instead."""
_EVERYWHERE = ("stop", "stop_capture", "temperature")

_OWN = ("TagDispatch", "TokenTagDispatch", "Token", "ExcludeToken", "Regex", "Substring", "JSONSchema", "Lark")
_BLANK = r"(?:\s|#[^\n]*\n)*+"
_CALLS = re.compile(
    rf'"(?:[^"\\\n]|\\.)*"|\[(?:[^]\\\n]|\\.)*\]|#[^\n]*|\b({"|".join(_OWN)}){_BLANK}\(|\({_BLANK}(=|!)'
)


@dataclass(slots=True)
class Lark:
    """A grammar in which each schema is replaced by a reference to a grammar of its own.

    text: with the references. on_trial: the same, with a text in place of each special token, for a vocabulary without
    special tokens. schemas: the JSON schemas, by the name of their reference.
    """

    text: str = ""
    on_trial: str = ""
    schemas: dict[str, str] = field(default_factory=dict)


def read_lark(text: str, backend: Backend) -> Lark:
    """`text` for llguidance, checked for either backend. Raises UnsupportedError for what would not be enforced."""
    lark = Lark()
    written: list[str] = []
    on_trial: list[str] = []
    for kind, found, start, end in _tokens(text):
        piece = trial = text[start:end]
        if kind == "setting" and (backend == "xgrammar" or found in _EVERYWHERE):
            reason, instead = _SETTINGS[found]
            raise _refused(text, start, f"{found}=", reason, instead)
        if kind == "token":
            trial = '"<>"'
            if backend == "xgrammar":
                raise _refused(text, start, piece, "xgrammar reads only the bytes of tokens", "use llguidance")
        if kind == "regex" and backend == "xgrammar":
            named = why_unreadable(found)
            if named is not None:
                raise UnsupportedError(f"a regex in {_line(text, start)} of the grammar: {named}")
        if kind == "json":
            if backend == "xgrammar":
                instead = "call Guard.json_schema, with .between(…) for the text around it"
                raise _refused(text, start, "%json", "xgrammar enforces only part of a schema", instead)
            name = f"json-{len(lark.schemas)}"
            lark.schemas[name] = _prepared(found, backend, f"%json in {_line(text, start)} of the grammar")
            piece = trial = f"@{name}"
        written.append(piece)
        on_trial.append(trial)
    lark.text, lark.on_trial = "".join(written), "".join(on_trial)
    return lark


def check_gbnf(text: str) -> None:
    """Raise UnsupportedError for extensions of xgrammar's GBNF that our checks do not cover."""
    for match in _CALLS.finditer(text):
        position, instead = match.start(), "write rules of texts, sets and names"
        if match[1] is not None:
            reason = "it is an extension of xgrammar's that our checks do not cover"
            raise _refused(text, position, f"{match[1]}(…)", reason, instead)
        if match[2] is not None:
            raise _refused(text, position, f"lookahead, ({match[2]}…)", "xgrammar does not enforce it", instead)


def _tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, content, start and end of each token; JSON is one token, together with the word before it."""
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None or match.lastgroup is None:  # "." is any character
            raise AssertionError(f"no token at {position} of {shortened(text)}")
        kind, found, end = match.lastgroup, match[match.lastgroup], match.end()
        if kind == "directive":
            begin, end = _json_at(text, end)
            kind, found = ("json" if found == "json" else "other"), text[begin:end]
        yield kind, found, position, end
        position = end


def _json_at(text: str, position: int) -> tuple[int, int]:
    """Start and end of the JSON value that follows."""
    begin = position + len(text[position:]) - len(text[position:].lstrip(" \t\r\n"))
    try:
        _, end = json.JSONDecoder().raw_decode(text, begin)
    except ValueError as error:
        raise GuardError(f"%json must have JSON after it, got {_line(text, position)}: {error}") from error
    return begin, end


def _prepared(schema: str, backend: Backend, where: str) -> str:
    """The prepared schema, as for `Guard.json_schema`; its errors begin with `where`."""
    try:
        return prepared(schema_text(schema), backend, lenient=False)[0]
    except GuardError as error:
        raise type(error)(f"{where}: {error}") from error


def _refused(text: str, position: int, what: str, reason: str, instead: str) -> UnsupportedError:
    return UnsupportedError(
        f"all of a grammar must be enforced, got {what} in {_line(text, position)}, and {reason}: {instead}"
    )


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"
