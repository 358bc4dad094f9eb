r"""Patterns of ECMA-262, the equivalents for Python's `re`, and texts to try them on."""

from dataclasses import dataclass

from hypothesis import strategies as st

SPACES = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
NEWLINES = r"\n\r\u2028\u2029"
LETTERS = 'aab0_-./"\\\n\t\x01\x1f\x7f é\u2028\ufeff😀'


@dataclass(frozen=True)
class Pattern:
    """One pattern in both dialects; `re` takes it with re.ASCII."""

    ecma: str
    python: str

    def wrapped(self, before: str, after: str) -> "Pattern":
        return Pattern(f"{before}{self.ecma}{after}", f"{before}{self.python}{after}")


def same(text: str) -> Pattern:
    return Pattern(text, text)


SINGLE = [
    *map(same, ["a", "b", "0", "_", "-", '"', "é", r"\.", r"\\", r"\n", r"\u0001", r"\x7f", "ab", r"\d", r"\w", r"\D"]),
    same(r"\W"), Pattern(r"\/", "/"), Pattern(".", f"[^{NEWLINES}]"), Pattern(r"\s", f"[{SPACES}]"),
    Pattern(r"\S", f"[^{SPACES}]"), Pattern(r"\cA", r"\x01"), Pattern(r"\u{1F600}", "😀"),
    Pattern(r"\uD83D\uDE00", "😀"), Pattern("[^]", r"[\s\S]"), Pattern("[]", r"[^\s\S]"),
]  # fmt: skip
MEMBERS = [
    *map(same, ["a", "b", "0-9", r"\d", r"\w", r"\W", '"', r"\\", "a-c", r"\x00-\x1f", r"\n", "é", r"\-", " -~", "😀"]),
    same("."), same(r"\x7f"), Pattern(r"\s", SPACES), Pattern(r"\/", "/"), Pattern(r"\b", r"\x08"),
]  # fmt: skip
ASSERTIONS = [
    same("^"), Pattern("$", r"\Z"), same(r"\b"), Pattern(r"\B", r"(?!\b)"),
    *map(same, ["(?<=a)", "(?<!a)", r"(?<=\d)", "(?<![^a])", "(?<!ab)"]),
]  # fmt: skip
TIMES = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?"]


@st.composite
def classes(draw: st.DrawFn) -> Pattern:
    members = draw(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=3))
    inner = Pattern("".join(member.ecma for member in members), "".join(member.python for member in members))
    return inner.wrapped(draw(st.sampled_from(["[", "[^"])), "]")


def patterns(depth: int = 2, *, asserts: bool = True) -> st.SearchStrategy[Pattern]:
    """Alternatives of sequences; with assertions anywhere, or none."""
    sequences = st.lists(_terms(depth, asserts), max_size=3).map(_joined)
    return st.lists(sequences, min_size=1, max_size=3).map(_either)


def _terms(depth: int, asserts: bool) -> st.SearchStrategy[Pattern]:
    pieces = st.one_of(st.sampled_from(SINGLE), classes())
    if depth:
        inner = patterns(depth - 1, asserts=asserts)
        pieces = st.one_of(pieces, inner.map(lambda found: found.wrapped("(", ")")))
    times = st.tuples(pieces, st.sampled_from(TIMES)).map(lambda found: found[0].wrapped("(?:", ")" + found[1]))
    if not asserts:
        return st.one_of(pieces, times)
    looks = st.tuples(patterns(0, asserts=False), st.sampled_from(["(?=", "(?!"]))
    return st.one_of(
        pieces, times, st.sampled_from(ASSERTIONS), looks.map(lambda found: found[0].wrapped(found[1], ")"))
    )


def _joined(parts: list[Pattern]) -> Pattern:
    return Pattern("".join(part.ecma for part in parts), "".join(part.python for part in parts))


def _either(options: list[Pattern]) -> Pattern:
    return Pattern("|".join(option.ecma for option in options), "|".join(option.python for option in options))


texts = st.text(LETTERS, max_size=6)
