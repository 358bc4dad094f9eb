"""Evidence: codes that say why a piece of text is foreseen."""

from enum import IntEnum
from typing import NamedTuple

NUM_CODES = 32
"""Codes are from 0 to NUM_CODES - 1."""

CONTINUED = NUM_CODES
"""Added to the code for the tokens of a piece after its first."""


class Evidence(IntEnum):
    """Codes for all kinds of text; a kind may register its own (`kinds.py`).

    The weight of each code is learnt (`drafting/core/plain/survival.py`), so a code keeps its number. Of two codes for
    one token, the higher number is the less sure one.
    """

    SURE = 0
    """The grammar leaves no choice."""
    FORCED = 1
    """The grammar forces these bytes."""
    KEYED = 2
    """In the prompt, the value follows the name."""
    QUOTED = 4
    """In the prompt it is quoted."""
    TYPED = 5
    """It is in the prompt, and has the right type."""
    CAPITAL = 6
    """In the prompt it is capitalised."""
    END = 15
    """The text is complete, and ends."""


SURE, FORCED, KEYED, QUOTED, TYPED, CAPITAL, END = Evidence
"""Module-level names, because looking up a member of an enum is slow in Python 3.11."""


class Piece(NamedTuple):
    """Text that is foreseen, and the evidence for it: a code of `Evidence`, or of the kind of text."""

    text: str
    evidence: IntEnum
