"""Checks that a pattern is a regex at all, in any dialect of ECMA-262."""

import re

MAX_GROUPS = 100
"""Deepest nesting of groups."""

_STEP = re.compile(
    r"(?P<escape>\\(?:u\{(?P<code>[0-9A-Fa-f]+)\}|.)?)"
    r"|(?P<set>\[(?:\\.|[^\]\\])*+(?P<end>\]?))"
    r"|(?P<flags>\(\?[a-zA-Z-]+\))"
    r"|(?P<open>\((?:\?(?:<[=!]|[=!:]|P?<\w+>|[a-zA-Z-]+:))?)"
    r"|(?P<close>\))"
    r"|(?P<repeat>[*+?]\??|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}\??)"
    r"|(?P<or>\|)"
    r"|(?P<letter>.)",
    re.DOTALL,
)
_RANGE = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|u\{[^}]*\}|[pP]\{[^}]*\}|c[A-Za-z]|.)(?:-(?:\\.|.))?"
    r"|(?P<first>[^\\-])-(?P<last>[^\\-])|.",
    re.DOTALL,
)


def fault_in_pattern(pattern: str) -> str | None:
    """The fault that makes `pattern` invalid, and its position; None if none is found."""
    opened: list[int] = []
    is_repeatable = False
    for step in _STEP.finditer(pattern):
        fault = _fault(step, opened, is_repeatable)
        if fault is not None:
            return f"{fault} at position {step.start()}"
        is_repeatable = step.lastgroup in ("escape", "set", "close", "letter", "code", "end")
    return f"a group is not closed at position {opened[-1]}" if opened else None


def _fault(step: re.Match[str], opened: list[int], is_repeatable: bool) -> str | None:
    if step["escape"] == "\\":
        return "a backslash has nothing to escape"
    if step["code"] is not None and (len(step["code"]) > 8 or int(step["code"], 16) > 0x10FFFF):
        return "a code is none of Unicode's"
    if step["set"] is not None:
        return "a [ is not closed" if not step["end"] else _fault_in_set(step["set"][1:-1])
    if step["open"] is not None:
        opened.append(step.start())
        return f"more than {MAX_GROUPS} groups are inside of one another" if len(opened) > MAX_GROUPS else None
    if step["close"] is not None:
        if not opened:
            return "a ) closes nothing"
        opened.pop()
    if step["repeat"] is not None:
        if not is_repeatable:
            return f"{step['repeat']} has nothing to repeat"
        if step["most"] and int(step["least"]) > int(step["most"]):
            return f"{step['repeat']} has its numbers in the wrong order"
    return None


def _fault_in_set(text: str) -> str | None:
    for found in _RANGE.finditer(text):
        if found["first"] is not None and found["first"] > found["last"]:
            return f"a range is in the wrong order, {found[0]}"
    return None
