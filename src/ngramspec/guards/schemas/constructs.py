"""Regex constructs that no backend supports: their names, their positions, and what to write instead."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Construct(NamedTuple):
    """A construct. text: as written at `position`. name: for messages. instead: what to write."""

    name: str
    text: str
    position: int
    instead: str


def missing(pattern: str) -> Construct | None:
    """The first construct that no backend supports; an inner anchor only if there is nothing else."""
    anchor: Construct | None = None
    for construct in _found(pattern):
        if construct.name != _ANCHOR:
            return construct
        anchor = anchor or construct
    return anchor


def _found(pattern: str) -> Iterator[Construct]:
    position = 0
    while position < len(pattern):
        step = _STEP.match(pattern, position)
        assert step is not None
        text = step[0]
        for form, name, instead in _FORMS:
            match = form.match(pattern, position)
            if match is not None:
                yield Construct(name, match[0], position, instead)
                break
        else:
            if text in ("^", "$") and _is_inside(pattern, position, text):
                yield Construct(_ANCHOR, text, position, _LEAVE_OUT)
        position = step.end()


def _is_inside(pattern: str, position: int, anchor: str) -> bool:
    neighbour = pattern[max(position - 1, 0) : position] if anchor == "^" else pattern[position + 1 : position + 2]
    return neighbour not in ("", "|", "(" if anchor == "^" else ")")


_STEP = re.compile(r"\\.?|\[\^?\]?(?:\\.|[^\]\\])*\]?|.", re.DOTALL)
"""An escape, a class or a character: inside a class there are no constructs."""

_ANCHOR = "an anchor inside"
_LEAVE_OUT = "a regex matches the whole text, so leave it out"
_ALTERNATIVES = "write out the possible texts, such as aa|bb for (a|b)\\1"
_WHAT_COMES = "write what may come there, such as [^b] for (?!b).; Lark has & (and) and ~ (not) with llguidance"
_FORMS = tuple(
    (re.compile(form), name, instead)
    for form, name, instead in (
        (
            r"\\[bB]",
            "a word boundary",
            "write the characters that may come there, such as [ ,.]; at either end leave it out",
        ),
        (r"\(\?=", "a lookahead", _WHAT_COMES),
        (r"\(\?!", "a negative lookahead", _WHAT_COMES),
        (r"\(\?<=", "a lookbehind", _WHAT_COMES),
        (r"\(\?<!", "a negative lookbehind", _WHAT_COMES),
        (r"\\[1-9]|\\k<\w*>|\(\?P=\w*\)", "a back-reference", _ALTERNATIVES),
        (r"\\[AZzG]", _ANCHOR, _LEAVE_OUT),
        (r"\(\?>", "an atomic group", "write (?:…)"),
        (r"\(\?\(", "a condition", "write out both cases, such as ab|c for (a)?(?(1)b|c)"),
        (r"\(\?#", "a comment", "leave it out"),
    )
)
