"""`ngramspec fuzz --hostile`, for programs: what a stranger's input may do to the process that takes it.

A `Campaign` hands hostile inputs of many kinds to guards and readers of files, in processes that it may end, and finds
what crashes, hangs, fills the memory, stops other threads or raises what is no error of ngramspec's. `play` does again
what a finding prints.
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
