"""What no backend has in a regex, by name: where it stands, and what to write instead."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Construct(NamedTuple):
    """text: what is written, at `place`; name: what it is; instead: the way out."""

    name: str
    text: str
    place: int
    instead: str


def missing(pattern: str) -> Construct | None:
    """The first construct that no backend has; an anchor inside only where nothing else is the matter."""
    anchor: Construct | None = None
    for construct in _found(pattern):
        if construct.name != _ANCHOR:
            return construct
        anchor = anchor or construct
    return anchor


def _found(pattern: str) -> Iterator[Construct]:
    place = 0
    while place < len(pattern):
        step = _STEP.match(pattern, place)
        assert step is not None
        text = step[0]
        for form, name, instead in _FORMS:
            match = form.match(pattern, place)
            if match is not None:
                yield Construct(name, match[0], place, instead)
                break
        else:
            if text in ("^", "$") and _is_inside(pattern, place, text):
                yield Construct(_ANCHOR, text, place, _LEAVE_OUT)
        place = step.end()


def _is_inside(pattern: str, place: int, anchor: str) -> bool:
    neighbour = pattern[max(place - 1, 0) : place] if anchor == "^" else pattern[place + 1 : place + 2]
    return neighbour not in ("", "|", "(" if anchor == "^" else ")")


_STEP = re.compile(r"\\.?|\[\^?\]?(?:\\.|[^\]\\])*\]?|.", re.DOTALL)
"""An escape, a class or a character: what stands in a class is no construct."""

_ANCHOR = "an anchor inside"
_LEAVE_OUT = "a regex matches the whole text, so leave it out"
_ALTERNATIVES = "write the texts out that there may be, such as aa|bb for (a|b)\\1"
_WHAT_COMES = "write what comes there itself, such as [^b] for (?!b).; Lark has & (and) and ~ (not) with llguidance"
_FORMS = tuple(
    (re.compile(form), name, instead)
    for form, name, instead in (
        (
            r"\\[bB]",
            "a word boundary",
            "write the characters that come there, such as [ ,.]; at either end leave it out",
        ),
        (r"\(\?=", "a lookahead", _WHAT_COMES),
        (r"\(\?!", "a negative lookahead", _WHAT_COMES),
        (r"\(\?<=", "a lookbehind", _WHAT_COMES),
        (r"\(\?<!", "a negative lookbehind", _WHAT_COMES),
        (r"\\[1-9]|\\k<\w*>|\(\?P=\w*\)", "a reference back", _ALTERNATIVES),
        (r"\\[AZzG]", _ANCHOR, _LEAVE_OUT),
        (r"\(\?>", "an atomic group", "write (?:…)"),
        (r"\(\?\(", "a condition", "write both ways out, such as ab|c for (a)?(?(1)b|c)"),
        (r"\(\?#", "a comment", "leave it out"),
    )
)
