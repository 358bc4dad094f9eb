"""Follows foreseen tokens one by one, slowly and obviously."""

from collections.abc import Iterable

from ngramspec.foresight import Piece, Speller
from ngramspec.foresight.run import Run, Spelling, Step


def steps(pieces: Iterable[Piece], vocabulary: Spelling, *, in_words: bool = False) -> list[Step]:
    """All steps of the run of `pieces`, each asked for once the one before was followed."""
    run, found = Run(pieces, Speller(vocabulary, in_words=in_words)), list[Step]()
    while run.reaches(len(found)):
        found.append(run.steps[len(found)])
    return found
