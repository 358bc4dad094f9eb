"""The pages quote the code's messages, and docs/troubleshooting.md names every reason and outcome that is counted."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ngramspec
from ngramspec.stats import GuardOutcome, Undrafted

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
OUTLINES = (DOCS / "coming-from" / "outlines.md").read_text(encoding="utf-8")
SOURCE = Path(ngramspec.__file__).parent
VALUE = "…"
LEAST = 12
"""Characters of a way out that the code adds to a rule."""


def texts_of(path: Path) -> Iterator[str]:
    """The string literals of a module, with VALUE for what is put into them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    within = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within |= set(node.values)
            yield "".join(_literal(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in within:
            yield node.value


def _literal(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else VALUE


def is_said(quoted: str, said: str) -> bool:
    """Whether each part of `quoted` between values stands in the code. said: its texts, apart."""
    parts = [part.strip(" ,") for part in quoted.split(VALUE)]
    return all(part in said or _in_two(part, said) for part in parts if len(part) > 2)


def _in_two(part: str, said: str) -> bool:
    """Whether `part` was put together of two texts: a rule and a way out."""
    ends = range(3, len(part) - LEAST)
    return any(part[:end] in said and part[end:] in said for end in ends)


def test_each_quoted_message_is_one_of_the_code() -> None:
    said = "\0".join(text for path in SOURCE.rglob("*.py") for text in texts_of(path))
    messages = re.findall(r"^```text\n(.*?)\n```$", PAGE + OUTLINES, re.MULTILINE | re.DOTALL)
    assert len(messages) > 15
    assert [] == [message for message in messages if not is_said(message, said)]
    assert not is_said("a message that nobody says, got …", said)


def test_each_reason_and_outcome_that_is_counted_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(Undrafted) == set(rows)
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(GuardOutcome) - {GuardOutcome.COMPLETE} <= named
