"""An error that recommends the other backend for a regex is right: the other one accepts it."""

import pytest

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from tests.guards.vocabularies import BYTES


@pytest.mark.parametrize(
    "pattern",
    ["a$b", "(a$|b)c", r"ab\Z", "(?m)a$", r"\btotal", "a(?=b)b", r"(a)\1", r"\p{Klingon}", "a{99999999999}", r"\Qab\E"],
)
def test_what_no_backend_has_is_refused_by_both_and_said_so(pattern: str) -> None:
    with pytest.raises(UnsupportedError, match="no backend does"):
        Guard.regex(pattern, BYTES, backend="xgrammar")
    with pytest.raises(GuardError):
        Guard.regex(pattern, BYTES)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"\Aab\z", "ab"), ("(?i)get", "GET"), (r"\p{Lu}", "É"), ("(?x) a b", "ab"), ("(?s).", "\n")],
)
def test_what_only_llguidance_has_is_said_to_be_its_and_it_is(pattern: str, text: str) -> None:
    with pytest.raises(UnsupportedError, match="backend='llguidance' does"):
        Guard.regex(pattern, BYTES, backend="xgrammar")
    assert Guard.regex(pattern, BYTES).accepts(text)


def test_of_what_releases_of_llguidance_differ_in_the_installed_one_is_asked() -> None:
    pattern = "^^a$$"  # 1.7 refuses it, 1.9 does not
    with pytest.raises(UnsupportedError) as refused:
        Guard.regex(pattern, BYTES, backend="xgrammar")
    try:
        takes = Guard.regex(pattern, BYTES).accepts("a")
    except GuardError:
        takes = False
    assert takes == ("backend='llguidance' does" in str(refused.value))


@pytest.mark.parametrize("pattern", ["a{4294967297}", "a{0,4294967298}", "b|(a{4294967297,})"])
def test_counts_that_xgrammar_would_take_modulo_2_to_the_32_are_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedError, match="a count of more than 2147483647"):
        Guard.regex(pattern, BYTES, backend="xgrammar")


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
@pytest.mark.parametrize("pattern", ["a\\", "\\", "[a\\", "(?i)a\\", "a\\\\\\"])
def test_a_backslash_that_escapes_nothing_is_named_whatever_stands_before_it(pattern: str, backend: Backend) -> None:
    with pytest.raises(GuardError, match="a backslash must escape something"):
        Guard.regex(pattern, BYTES, backend=backend)


def test_no_message_quotes_all_of_a_long_pattern() -> None:
    for pattern in ("a$b" + "x" * 10_000, "(?m)" + "x" * 10_000, "x" * 10_000 + r"\1"):
        with pytest.raises(UnsupportedError) as caught:
            Guard.regex(pattern, BYTES, backend="xgrammar")
        assert len(str(caught.value)) < 400
