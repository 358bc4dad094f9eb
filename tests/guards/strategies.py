"""Small languages, and vocabularies that split their texts in awkward ways."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st
from outlines_core import Index
from outlines_core import Vocabulary as OutlinesVocabulary

from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.backends import outlines_core
from tests.guards import languages
from tests.guards.languages import After, Between, Language, Opened, Regular, literal, sequence

CHARACTERS = ("a", "b", "<", ">", "é", "è")
MARKERS = ("<", "<a", "aa", "ab>", "aba", "é", "<<a>")

SINGLE_BYTES = sorted({bytes([byte]) for character in (*CHARACTERS, "!") for byte in character.encode()})


def regular(chance: Random, max_depth: int = 3, *, loops: bool = True) -> Regular:
    """A regular language; without loops it is finite."""
    kinds = ["literal", "sequence", "sequence", "choice", "choice", "optional", *["repeated"] * loops]
    kind = chance.choice(kinds) if max_depth else "literal"
    if kind == "literal":
        return languages.literal("".join(chance.choices(CHARACTERS, k=chance.randint(1, 3))))
    parts = [regular(chance, max_depth - 1, loops=loops) for _ in range(chance.randint(2, 3))]
    match kind:
        case "sequence":
            return languages.sequence(*parts)
        case "choice":
            return languages.choice(*parts)
        case "optional":
            return languages.optional(parts[0])
    return languages.repeated(parts[0])


@dataclass(frozen=True)
class Case:
    """A language, and how to make its guard."""

    language: Language
    make: Callable[[Vocabulary], Guard]
    description: str

    def __repr__(self) -> str:
        return self.description


def terminated(chance: Random) -> Case:
    """A language whose texts end in `b!b`, so that none goes on; as an index of outlines-core, which needs that."""
    inner = sequence(regular(chance), literal("b!b"))

    def make(vocabulary: Vocabulary) -> Guard:
        ids: dict[bytes, list[int]] = {}
        for token, text in enumerate(vocabulary.tokens):
            if text and token not in vocabulary.special:
                ids.setdefault(text, []).append(token)
        own_end = len(vocabulary) + 1
        index = Index(inner.pattern, OutlinesVocabulary(own_end, ids))
        return Guard(outlines_core.Compiled(index, vocabulary), "adopted")

    return Case(inner, make, f"index({inner.pattern!r})")


def _after(case: Case, marker: str) -> Case:
    return Case(
        After(marker.encode(), case.language),
        lambda vocabulary: case.make(vocabulary).after(marker),
        f"{case}.after({marker!r})",
    )


def _opened(case: Case, opening: str, marker: str) -> Case:
    return Case(
        Opened(opening.encode(), After(marker.encode(), case.language)),
        lambda vocabulary: case.make(vocabulary).after(marker, opening=opening),
        f"{case}.after({marker!r}, opening={opening!r})",
    )


def _between(case: Case, start: str, end: str) -> Case:
    return Case(
        Between(start.encode(), end.encode(), case.language),
        lambda vocabulary: case.make(vocabulary).between(start, end),
        f"{case}.between({start!r}, {end!r})",
    )


def case(chance: Random, backend: str, phases: str, *, loops: bool = True) -> Case:
    """phases: "" for the language itself, or what is put around it, from the inside, such as "between after"."""
    if backend == "outlines-core":
        return terminated(chance)
    inner = regular(chance, loops=loops)
    made = Case(
        inner,
        lambda vocabulary: Guard.regex(inner.pattern, vocabulary, backend=backend),  # type: ignore[arg-type]
        f"regex({inner.pattern!r}, {backend})",
    )
    for phase in phases.split():
        first, second = chance.choice(MARKERS), chance.choice(MARKERS)
        match phase:
            case "after":
                made = _after(made, first)
            case "opened":
                made = _opened(made, first, second)
            case "between":
                made = _between(made, first, second)
    return made


def vocabulary(chance: Random, *, all_bytes: bool = False) -> Vocabulary:
    """Bytes, pieces of text with markers in them, special tokens by any name; some doubled, some missing or empty."""
    singles = list(SINGLE_BYTES)
    if not all_bytes and not chance.randrange(3):
        del singles[chance.randrange(len(singles))]
    tokens = [*singles, *(_piece(chance) for _ in range(chance.randint(0, 20)))]
    if chance.randrange(2):
        tokens += [character.encode() for character in CHARACTERS]
    tokens += chance.choices(tokens, k=chance.randint(0, 2))
    names = [
        chance.choice([*(marker.encode() for marker in MARKERS), _piece(chance)]) for _ in range(chance.randint(0, 3))
    ]
    named = [*((name, True) for name in [*names, b"</s>"]), *((token, False) for token in tokens)]
    chance.shuffle(named)
    special = [token for token, (_, is_special) in enumerate(named) if is_special]
    ends = [token for token in special if named[token][0] == b"</s>"] if chance.randrange(4) else []
    return Vocabulary([text for text, _ in named], special=special, eos_tokens=ends)


def eos_tokens(chance: Random, vocabulary: Vocabulary) -> frozenset[int]:
    """What ends a row: the vocabulary's own ends or, now and then, others: text, ids that are no token, or nothing."""
    if chance.randrange(3):
        return frozenset(vocabulary.eos_tokens)
    return frozenset(chance.randrange(len(vocabulary) + 2) for _ in range(chance.randrange(3)))


def _piece(chance: Random) -> bytes:
    """A text of characters and markers, cut anywhere; it may be nothing."""
    parts = [chance.choice([*CHARACTERS, *MARKERS]) for _ in range(chance.randint(1, 4))]
    text = "".join(parts).encode()
    return text[chance.choice([0, 0, 1]) : len(text) - chance.choice([0, 0, 1])]


chances = st.integers(0, (1 << 64) - 1).map(Random)
"""Everything is drawn from a seed, for what Hypothesis draws by itself is mostly trivial."""
