"""Other readers of the formats in grammars/: Python's json, csv, ast, datetime, sqlite3, and the standards' patterns.

Each says whether a text has the format, except for what the grammar's file says it leaves out.
"""

import ast
import csv
import datetime
import io
import json
import re
import sqlite3
from collections.abc import Callable

import jsonschema

from ngramspec.guards import library

HTML_EMAIL = (
    r"^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
)
"""html.spec.whatwg.org, "valid email address"."""

SEMVER = (
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
)
"""semver.org, "is there a suggested regular expression"."""


def reads_json(text: str) -> None:
    _check(text == text.strip(" \t\r\n"))
    json.loads(text, parse_constant=lambda name: _check(False))


def reads_json_lines(text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):
        reads_json(line)


def reads_csv(text: str) -> None:
    list(csv.reader(io.StringIO(text, newline=""), strict=True))
    bare = re.sub(r'((?<![^,\n])"([^"]|"")*")', "", text)
    _check('"' not in bare and "\r" not in bare.replace("\r\n", ""))


def reads_arithmetic(text: str) -> None:
    _check(text == text.strip(" ") and re.fullmatch(r"[0-9.()+*/ -]+", text) is not None)
    _check(all(re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", number) for number in re.findall(r"[0-9.]+", text)))
    _check_operators(ast.parse(text, mode="eval").body)


def _check_operators(node: ast.expr) -> None:
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right):
            _check_operators(left)
            _check_operators(right)
        case ast.UnaryOp(ast.USub(), operand):
            _check_operators(operand)
        case _:
            _check(isinstance(node, ast.Constant))


def reads_email(text: str) -> None:
    _check("\n" not in text and re.search(HTML_EMAIL, text) is not None)


def reads_semver(text: str) -> None:
    _check("\n" not in text and re.search(SEMVER, text, re.ASCII) is not None)


def reads_iso_8601(text: str) -> None:
    shape = r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:[0-5]\d))?"  # Python takes +02:60
    _check(re.fullmatch(shape, text, re.ASCII) is not None and "T24" not in text)
    datetime.datetime.fromisoformat(text)


def reads_sql_select(text: str) -> None:
    """SQLite, which says of what it can parse at most that it knows no such table."""
    _check(re.match(r"(SELECT|WITH)\b", text, re.IGNORECASE) is not None and text == text.strip())
    _check(re.search(r";|--|/\*", re.sub(r"""'([^']|'')*'|"([^"]|"")*\"""", "", text)) is None)
    try:
        sqlite3.connect(":memory:").execute(text)
    except sqlite3.OperationalError as error:
        _check(re.search(r"syntax error|incomplete input|unrecognized token", str(error)) is None)


def reads_function_call(text: str) -> None:
    """Any reader of JSON takes keys in any order; a guard has them in the schema's."""
    reads_json(text)
    call = json.loads(text)
    schema = json.loads(library.source("function-call").text)
    jsonschema.Draft202012Validator(schema).validate(call)
    _check(list(call) == list(schema["properties"]))


READERS: dict[str, Callable[[str], None]] = {
    "arithmetic": reads_arithmetic,
    "csv": reads_csv,
    "email": reads_email,
    "function-call": reads_function_call,
    "iso-8601": reads_iso_8601,
    "json": reads_json,
    "json-lines": reads_json_lines,
    "semver": reads_semver,
    "sql-select": reads_sql_select,
}


def is_read(name: str, text: str) -> bool:
    try:
        READERS[name](text)
    except (ValueError, SyntaxError, csv.Error, jsonschema.ValidationError):
        return False
    return True


def _check(is_right: bool) -> None:
    if not is_right:
        raise ValueError
