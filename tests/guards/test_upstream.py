"""What is wrong in the backends; each test fails when it is mended there."""

import pytest
from outlines_core import Index
from outlines_core import Vocabulary as OutlinesVocabulary

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.backends import outlines_core
from tests.guards.test_ends import mask
from tests.guards.vocabularies import BYTES


def test_llguidance_panics_where_one_of_several_choices_has_a_needless_group() -> None:
    with pytest.raises(GuardError, match="panic") as caught:
        Guard.regex("bè|b(è)|c", BYTES)
    assert "\n" not in str(caught.value)
    assert Guard.regex("bè|bè|c", BYTES).accepts("bè")


def test_xgrammar_leaves_a_token_of_two_characters_out_of_its_mask_behind_one_that_differs_inside_the_first() -> None:
    matcher = Guard.regex("éè", Vocabulary(["éè".encode(), "è".encode()]), backend="xgrammar").matcher()
    assert set() == mask(matcher)
    with matcher.lookahead() as lookahead:
        assert lookahead.push(0)


def test_xgrammar_takes_the_bytes_of_half_a_surrogate_pair_for_text() -> None:
    half = '"\ud800"'.encode(errors="surrogatepass")
    matcher = Guard.json_schema({"type": "string"}, BYTES, backend="xgrammar").matcher()
    matcher.advance(half)
    strict = Guard.json_schema({"type": "string"}, BYTES).matcher()
    with pytest.raises(GuardError, match="is not allowed"):
        strict.advance(half)


def test_outlines_core_drops_tokens_that_leave_an_accepting_state() -> None:
    tokens = {bytes([byte]): [byte] for byte in range(256)}
    index = Index(r"[0-9]+(\.[0-9]+)?", OutlinesVocabulary(256, tokens))
    guard = Guard(outlines_core.Compiled(index, BYTES), "adopted")
    assert guard.accepts("15")
    assert not guard.accepts("1.5")
    assert Guard.regex(r"[0-9]+(\.[0-9]+)?", BYTES).accepts("1.5")
