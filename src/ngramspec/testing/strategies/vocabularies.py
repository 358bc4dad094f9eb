"""Vocabularies: single bytes, and the tokens that are hard to get right."""

from collections.abc import Sequence

from hypothesis import strategies as st

from ngramspec.guards import Vocabulary
from ngramspec.testing.tokens import ENDS, PAD, Tokens


@st.composite
def tokens(draw: st.DrawFn, texts: Sequence[str] = (), markers: Sequence[str] = ()) -> Tokens:
    """Tokens for `texts`, as data; see `vocabularies`."""
    whole = [text.encode() for text in texts if text] or [b"ab"]
    merged = draw(st.lists(_pieces(whole), max_size=16))
    positions = [(text, text.find(marker.encode()), len(marker.encode())) for text in whole for marker in markers]
    found = [(text, start, length) for text, start, length in positions if start >= 0]
    if found:
        merged += draw(st.lists(st.sampled_from(found).flatmap(lambda position: _crossing(*position)), max_size=8))
    merged += draw(st.lists(st.sampled_from(merged), max_size=2)) if merged else []  # the same bytes twice
    merged += draw(st.sampled_from([[], [], [b""], [b"a"]]))
    special = [PAD, *draw(st.sampled_from([[], [b"<|x|>"], [marker.encode() for marker in markers]]))]
    return Tokens(
        merged=tuple(merged),
        special=tuple(special),
        ends=ENDS[: draw(st.integers(1, len(ENDS)))],
        missing=draw(st.sampled_from([b"", b"", b"", b"\xc3z", bytes(range(128, 256))])),
        turned=draw(st.integers(0, 300)),
    )


def vocabularies(texts: Sequence[str] = (), markers: Sequence[str] = ()) -> st.SearchStrategy[Vocabulary]:
    """Small vocabularies: bytes, pieces of `texts`, tokens that begin or end inside one of `markers` within a text,
    duplicate tokens, empty ones, special ones (also a marker by name), one to three ends of sequence, and missing
    bytes.
    """
    return tokens(texts, markers).map(Tokens.vocabulary)


@st.composite
def _pieces(draw: st.DrawFn, texts: Sequence[bytes]) -> bytes:
    text = draw(st.sampled_from(texts))
    start = draw(st.integers(0, len(text) - 1))
    return text[start : start + draw(st.integers(2, 9))]


@st.composite
def _crossing(draw: st.DrawFn, text: bytes, position: int, length: int) -> bytes:
    start = draw(st.integers(max(0, position - 3), position + length - 1))
    return (
        text[start : draw(st.integers(position + 1, position + length + 3))] or text[position : position + length + 1]
    )
