"""Regexes that `re` and all backends interpret alike, with texts that match."""

from hypothesis import strategies as st

from ngramspec.testing.constraints import Constraint

ALPHABET = "ab01é_"
CLASSES = {"[ab]": "ab", "[0-9]": "0189", r"\d": "07", r"\w": "ab0_", "[^b]": "a0é_", ".": "ab0é", "[a-cé]": "abcé"}
REPEATS = {"?": (0, 1), "*": (0, 3), "+": (1, 3), "{2}": (2, 2), "{1,3}": (1, 3), "{0,2}": (0, 2), "{2,}": (2, 4)}

Node = tuple[str, st.SearchStrategy[str]]
"""A pattern, and the texts that match it."""


@st.composite
def regexes(draw: st.DrawFn, max_depth: int = 3) -> Constraint:
    """A regex, and up to three texts that match all of it."""
    pattern, matching = _node(draw, max_depth)
    texts = draw(st.lists(matching, min_size=1, max_size=3, unique=True))
    return Constraint("regex", pattern, valid=tuple(texts))


def _node(draw: st.DrawFn, depth: int) -> Node:
    kind = draw(st.sampled_from(["text", "class", "sequence", "choice", "repeat"] if depth else ["text", "class"]))
    if kind == "text":
        text = draw(st.text(ALPHABET, min_size=1, max_size=4))
        return text, st.just(text)
    if kind == "class":
        pattern = draw(st.sampled_from(sorted(CLASSES)))
        return pattern, st.sampled_from(CLASSES[pattern])
    if kind == "repeat":
        suffix = draw(st.sampled_from(sorted(REPEATS)))
        least, most = REPEATS[suffix]
        inner, texts = _node(draw, depth - 1)
        return f"({inner}){suffix}", st.lists(texts, min_size=least, max_size=most).map("".join)
    parts = [_node(draw, depth - 1) for _ in range(draw(st.integers(2, 3)))]
    if kind == "choice":
        return f"({'|'.join(pattern for pattern, _ in parts)})", st.one_of([texts for _, texts in parts])
    return "".join(pattern for pattern, _ in parts), st.tuples(*[texts for _, texts in parts]).map("".join)
