"""Strategies for scenes: a guard, a vocabulary, rows that write, and drafts that go wrong."""

from collections.abc import Sequence

from hypothesis import strategies as st

from ngramspec.guards.source import Backend
from ngramspec.testing.constraints import Constraint
from ngramspec.testing.fuzzing.scene import Scene, Writer, wrapped
from ngramspec.testing.strategies import slips, tokens
from ngramspec.testing.tokens import Tokens

MARKERS: tuple[tuple[str, ...], ...] = (("<t>",), ("</think>",), ("<<", ">>"), ("<tool>", "</tool>"), ("a", "aba"))
MAX_TEXT = 60
"""Longest scripted text of a row, in characters: a case should take milliseconds."""
DRAFTERS = 5
"""Most drafters of a scene; each makes one case."""

Stage = tuple[tuple[str, ...], Tokens | str]
"""Markers, and tokens, some of which begin or end inside a marker."""


@st.composite
def stages(draw: st.DrawFn, constraint: Constraint, tokenizer: str | None = None) -> Stage:
    """Markers or none, and a small vocabulary for the texts of `constraint`, or that of `tokenizer`."""
    markers = draw(st.sampled_from(MARKERS)) if draw(st.booleans()) else ()
    return markers, tokenizer if tokenizer is not None else draw(tokens(written(constraint, markers), markers))


def written(constraint: Constraint, markers: Sequence[str]) -> list[str]:
    """Texts for the scripts of rows."""
    texts = [text for text in constraint.valid if len(text) <= MAX_TEXT] or [
        text[:MAX_TEXT] for text in constraint.valid
    ]
    return [wrapped(text, markers) for text in texts or [""]]


@st.composite
def scenes(
    draw: st.DrawFn, constraint: Constraint, stage: st.SearchStrategy[Stage], backends: Sequence[Backend]
) -> Scene:
    """A scene under `constraint`."""
    markers, vocabulary = draw(stage)
    texts, spellings = st.sampled_from(written(constraint, markers)), st.integers(0, 99)
    others = st.lists(st.builds(Writer, texts, spellings, st.sampled_from([True, True, False])), max_size=2)
    return Scene(
        constraint,
        vocabulary,
        rows=(Writer(draw(texts), draw(spellings)), *(draw(others) if draw(st.booleans()) else [])),
        drafters=tuple(draw(slips()) for _ in range(DRAFTERS)),
        backend=draw(st.sampled_from([backends[0], *backends])),
        markers=markers,
        is_sampled=draw(st.booleans()),
        seed=draw(st.integers(0, 999)),
        lapses=draw(st.sampled_from([0.0, 0.05, 0.2, 1.0])),
        max_new_tokens=draw(st.sampled_from([32, 24, 9])),
        max_draft_tokens=draw(st.sampled_from([6, 3, 10])),
        is_steered=draw(st.sampled_from([False, False, True])),
        is_aligned=draw(st.sampled_from([False, False, False, True])),
    )
