"""What may speak for a piece of text that is foreseen."""

from enum import IntEnum
from typing import NamedTuple

NUM_CODES = 32
"""Evidence is a code from 0 to this, exclusive."""

CONTINUED = NUM_CODES
"""Added to the code for the tokens of a piece after its first one."""


class Evidence(IntEnum):
    """Codes for texts of any kind; a kind may register codes of its own (`kinds.py`).

    How much each is worth is learnt (`drafting/core/survival.py`), so a code keeps its number. Of two that speak for
    one token, the higher number is the less sure one.
    """

    SURE = 0
    """The grammar leaves no choice."""
    FORCED = 1
    """The grammar says that these bytes must come."""
    KEYED = 2
    """The prompt has the value after the name."""
    QUOTED = 4
    """It stands in quotes in the prompt."""
    TYPED = 5
    """It stands in the prompt, and is of the type."""
    CAPITAL = 6
    """It stands in the prompt with capitals."""
    END = 15
    """The text is whole, and ends."""


class Piece(NamedTuple):
    """Text that may come, and what speaks for it: a code of `Evidence`, or of the kind of text."""

    text: str
    evidence: IntEnum
