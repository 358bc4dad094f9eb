"""`ngramspec fuzz --hostile` as a library: what untrusted input can do to the process that reads it.

A `Campaign` gives hostile inputs of many kinds to guards and file readers, in processes that it can kill, and finds
crashes, hangs, memory exhaustion, stopped threads, and errors that are not ngramspec's own. `play` repeats what a
finding prints.
"""

from ngramspec.testing.hostile.campaign import Campaign, Finding, Result, play
from ngramspec.testing.hostile.corpus import CORPUS, drawn
from ngramspec.testing.hostile.inputs import SIZES, Input
from ngramspec.testing.hostile.malformed import malformed
from ngramspec.testing.hostile.watchdog import Bounds, Outcome, Watchdog

__all__ = [
    "CORPUS",
    "SIZES",
    "Bounds",
    "Campaign",
    "Finding",
    "Input",
    "Outcome",
    "Result",
    "Watchdog",
    "drawn",
    "malformed",
    "play",
]
