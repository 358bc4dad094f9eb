"""A run is the text of its pieces cut into tokens, however little of it is made at a time."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.evidence import CONTINUED, Evidence, Piece
from ngramspec.foresight.run import LONGEST, Run
from ngramspec.guards import Vocabulary
from tests.guards.vocabularies import BYTES, words

LARGE = words("aa", "ab", "aaa", "bé", "éé", "a😀")
PIECES = st.lists(st.builds(Piece, st.text("abé😀", min_size=1, max_size=60), st.sampled_from(Evidence)), max_size=12)


def followed(run: Run) -> list[tuple[int, int]]:
    found = []
    while (step := run.next()) is not None:
        assert step == run.next()
        assert run.follows(step[0])
        found.append(step)
    return found


def evidence(pieces: list[Piece], sizes: list[int]) -> list[int]:
    """Byte by byte: of the pieces that begin in a token the least sure one, else of the one that goes on there."""
    codes: list[tuple[bool, int]] = []
    for piece in pieces:
        size = len(piece.text.encode())
        codes += [(True, piece.evidence), *[(False, CONTINUED + piece.evidence if piece.evidence else 0)] * (size - 1)]
    found, position = [], 0
    for size in sizes:
        within = codes[position : position + size]
        begun = max((code for begins, code in within if begins), default=0)
        found.append(begun or within[0][1])
        position += size
    return found


@given(PIECES, st.sampled_from([BYTES, LARGE]))
def test_a_run_that_is_followed_is_its_text_and_its_evidence(pieces: list[Piece], vocabulary: Vocabulary) -> None:
    steps = followed(Run(iter(pieces), vocabulary))
    tokens, codes = [token for token, _ in steps], [code for _, code in steps]
    text = "".join(piece.text for piece in pieces)[:LONGEST].encode()
    spelled = b"".join(vocabulary.tokens[token] for token in tokens)
    assert text.startswith(spelled)
    assert evidence(pieces, [len(vocabulary.tokens[token]) for token in tokens]) == codes
    if vocabulary is BYTES:
        assert text == spelled


@given(PIECES, st.integers(0, 80))
def test_tokens_are_made_lazily(pieces: list[Piece], num_followed: int) -> None:
    made: list[Piece] = []

    def making() -> Iterator[Piece]:
        for piece in pieces:
            made.append(piece)
            yield piece

    run = Run(making(), BYTES)
    assert [] == made
    for _ in range(num_followed):
        step = run.next()
        assert step is None or run.follows(step[0])
    assert len("".join(piece.text for piece in made[:-1])) < num_followed + 35


def test_a_token_that_was_not_foreseen_is_not_followed() -> None:
    run = Run(iter([Piece("ab", Evidence.SURE)]), BYTES)
    assert not run.follows(ord("a"))  # nobody has asked
    assert (ord("a"), Evidence.SURE) == run.next()
    assert not run.follows(ord("b"))
    assert run.follows(ord("a"))
    assert (ord("b"), 0) == run.next()
