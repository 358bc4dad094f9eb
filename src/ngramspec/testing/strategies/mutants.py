"""Nearly right texts, and constraints of any kind."""

from collections.abc import Sequence

from hypothesis import strategies as st

from ngramspec.testing.constraints import Constraint
from ngramspec.testing.strategies.grammars import grammars
from ngramspec.testing.strategies.regexes import regexes
from ngramspec.testing.strategies.schemas import json_schemas


def constraints() -> st.SearchStrategy[Constraint]:
    """JSON schemas, regexes and Lark grammars that guards enforce, with texts, some of which fit."""
    return st.one_of(regexes(), grammars(), json_schemas())


@st.composite
def mutants(draw: st.DrawFn, texts: Sequence[str]) -> str:
    """One of `texts` with a character left out, doubled, moved, replaced by another of it, or written as an escape."""
    text = draw(st.sampled_from(texts))
    if not text:
        return draw(st.sampled_from([*texts, "a"]))
    position = draw(st.integers(0, len(text) - 1))
    other = text[draw(st.integers(0, len(text) - 1))]
    before, here, after = text[:position], text[position], text[position + 1 :]
    return (
        before
        + draw(st.sampled_from(["", here + here, other, other + here, here + other, f"\\u{ord(here) % 65536:04x}"]))
        + after
    )
