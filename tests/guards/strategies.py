"""Small languages, and vocabularies that cut their texts in every awkward way."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from ngramspec.guards import Guard, Vocabulary
from tests.guards import languages
from tests.guards.languages import After, Between, Language, Regular

CHARACTERS = ("a", "b", "<", ">", "é", "è")
MARKERS = ("<", "<a", "aa", "ab>", "aba", "é", "<<a>")

SINGLE_BYTES = sorted({bytes([byte]) for character in CHARACTERS for byte in character.encode()})


@st.composite
def regular(draw: st.DrawFn, max_depth: int = 3, loops: bool = True) -> Regular:
    """A regular language; without loops it is finite."""
    kinds = ["literal"] if not max_depth else ["literal", "sequence", "choice", "optional"] + ["repeated"] * loops
    kind = draw(st.sampled_from(kinds))
    if kind == "literal":
        return languages.literal("".join(draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=3))))
    inner = regular(max_depth - 1, loops)
    if kind in ("optional", "repeated"):
        return (languages.optional if kind == "optional" else languages.repeated)(draw(inner))
    parts = draw(st.lists(inner, min_size=2, max_size=3))
    return (languages.sequence if kind == "sequence" else languages.choice)(*parts)


@dataclass(frozen=True)
class Case:
    """A language, and how to make its guard."""

    language: Language
    make: Callable[[Vocabulary], Guard]
    description: str

    def __repr__(self) -> str:
        return self.description


def _after(case: Case, marker: str) -> Case:
    return Case(
        After(marker.encode(), case.language),
        lambda vocabulary: case.make(vocabulary).after(marker),
        f"{case}.after({marker!r})",
    )


def _between(case: Case, start: str, end: str) -> Case:
    return Case(
        Between(start.encode(), end.encode(), case.language),
        lambda vocabulary: case.make(vocabulary).between(start, end),
        f"{case}.between({start!r}, {end!r})",
    )


@st.composite
def cases(draw: st.DrawFn, backend: str, phases: str) -> Case:
    """phases: "" for the language itself, or what is put around it, from the inside, such as "between after"."""
    inner = draw(regular())
    case = Case(
        inner,
        lambda vocabulary: Guard.regex(inner.pattern, vocabulary, backend=backend),  # type: ignore[arg-type]
        f"regex({inner.pattern!r}, {backend})",
    )
    for phase in phases.split():
        markers = st.sampled_from(MARKERS)
        case = _after(case, draw(markers)) if phase == "after" else _between(case, draw(markers), draw(markers))
    return case


@st.composite
def vocabularies(draw: st.DrawFn) -> tuple[Vocabulary, frozenset[int]]:
    """A vocabulary, and the ids that end a row: its own, others, text, ids that are no token, several or none."""
    characters = st.sampled_from(CHARACTERS)
    pieces = st.one_of(
        st.lists(characters, min_size=2, max_size=5).map("".join),
        st.tuples(characters, st.sampled_from(MARKERS), characters).map("".join),
        st.tuples(characters, st.sampled_from(MARKERS)).map("".join),
        st.tuples(st.sampled_from(MARKERS), characters).map("".join),
        st.sampled_from(MARKERS),
    ).map(str.encode)
    cut = st.tuples(pieces, st.integers(0, 2), st.integers(0, 2)).map(lambda cut: cut[0][cut[1] : len(cut[0]) - cut[2]])
    singles = draw(st.sampled_from([SINGLE_BYTES, SINGLE_BYTES, SINGLE_BYTES[1:], SINGLE_BYTES[:-2]]))
    tokens = [*singles, *draw(st.lists(st.one_of(pieces, cut), max_size=12)), *draw(st.sampled_from([[], singles[:2]]))]
    names = draw(st.lists(st.one_of(pieces, st.just(b"<|pad|>"), st.just(b"")), max_size=3))
    tokens = draw(st.permutations([*tokens, b"</s>", *names]))
    ends = [tokens.index(b"</s>")] if draw(st.booleans()) else []
    # A name that is also a text's is taken from the end, so that either kind comes first.
    special = [len(tokens) - 1 - tokens[::-1].index(name) for name in names]
    vocabulary = Vocabulary(tokens, special=special, eos_tokens=ends)
    others = st.frozensets(st.integers(0, len(tokens) + 1), max_size=2)
    return vocabulary, draw(st.one_of(st.just(frozenset(ends)), st.just(frozenset(ends)), others))
