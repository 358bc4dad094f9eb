"""A run is the text of its pieces as tokens, however little of it is made at a time."""

from collections.abc import Iterator
from operator import length_hint

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.evidence import CONTINUED, Evidence, Piece
from ngramspec.foresight.run import LONGEST, Run, SharedSpellings, Speller, Step, spelled
from ngramspec.guards import Vocabulary
from tests.foresight.following import steps
from tests.guards.vocabularies import BYTES, words

LARGE = words("aa", "ab", "aaa", "bé", "éé", "a😀")
PIECES = st.lists(st.builds(Piece, st.text("abé😀", min_size=1, max_size=60), st.sampled_from(Evidence)), max_size=12)


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


@given(PIECES, st.sampled_from([BYTES, LARGE]), st.booleans())
def test_a_run_that_is_followed_is_its_text_and_its_evidence(
    pieces: list[Piece], vocabulary: Vocabulary, in_words: bool
) -> None:
    found = steps(pieces, vocabulary, in_words=in_words)
    tokens, codes = [token for token, _ in found], [code for _, code in found]
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

    run = Run(making(), Speller(BYTES))
    assert [] == made
    for position in range(num_followed):
        run.reaches(position)
    assert len("".join(piece.text for piece in made[:-1])) < num_followed + 35


@given(PIECES, st.sampled_from([BYTES, LARGE]), st.booleans())
def test_steps_that_are_sure_stay_as_they_are(pieces: list[Piece], vocabulary: Vocabulary, in_words: bool) -> None:
    run, sure = Run(iter(pieces), Speller(vocabulary, in_words=in_words)), list[Step]()
    while run.reaches(len(sure)):
        assert sure == run.steps[: len(sure)]
        sure.append(run.steps[len(sure)])
    assert sure == run.steps[: run.num_sure]


def test_of_whole_words_one_is_made_for_its_tokens_and_they_are_those_of_the_text() -> None:
    vocabulary = words("SELECT", " name", " FROM", " singer", ", ", "')", " WHERE")
    pieces = [Piece(text, Evidence.SURE) for text in ("SELECT", " name", ", ", "age", " FROM", " singer", "'a'", ")")]
    left = iter(pieces)
    run = Run(left, Speller(vocabulary, in_words=True))
    assert run.reaches(0)
    assert 1 == len(pieces) - length_hint(left)
    while run.reaches(len(run.steps)):
        pass
    text = "".join(piece.text for piece in pieces)
    assert vocabulary.encode(text) == [token for token, _ in run.steps]


@given(st.lists(PIECES, max_size=6), st.sampled_from([BYTES, LARGE]))
def test_what_is_remembered_is_spelled_as_before(texts: list[list[Piece]], vocabulary: Vocabulary) -> None:
    speller = Speller(vocabulary)
    for pieces in [*texts, *texts]:
        run = spelled(pieces, speller)
        assert steps(pieces, vocabulary)[:1] == ([] if run is None else run.steps[:1])
        assert Speller(vocabulary).steps(tuple(pieces)) == speller.steps(tuple(pieces))


@given(st.lists(PIECES, max_size=6), st.sampled_from([BYTES, LARGE]))
def test_rows_that_share_what_they_spell_spell_as_if_alone_and_share_no_value(
    texts: list[list[Piece]], vocabulary: Vocabulary
) -> None:
    of_the_grammar = {Evidence.SURE, Evidence.FORCED}
    shared = SharedSpellings(of_the_grammar)
    for pieces in [*texts, *texts]:
        assert Speller(vocabulary).steps(tuple(pieces)) == Speller(vocabulary, shared).steps(tuple(pieces))
    expected = {tuple(pieces) for pieces in texts if of_the_grammar.issuperset(piece.evidence for piece in pieces)}
    assert expected == shared.known.keys()
