"""Replays recorded requests through the decode loop: what speculation would do for them, without a model."""

from ngramspec.replay.alternatives import Alternatives
from ngramspec.replay.host_time import HostTime
from ngramspec.replay.recordings import Recording
from ngramspec.replay.replay import GuardedRow, PromptAs, ReplayTarget, Report, SegmentReport, replay
from ngramspec.replay.row_guards import RowGuards
from ngramspec.replay.saved_costs import SavedCosts, read_costs
from ngramspec.replay.tokenizers import Tokenizer, load_tokenizer
from ngramspec.replay.traces import Trace, read_traces

__all__ = [
    "Alternatives",
    "GuardedRow",
    "HostTime",
    "PromptAs",
    "Recording",
    "ReplayTarget",
    "Report",
    "RowGuards",
    "SavedCosts",
    "SegmentReport",
    "Tokenizer",
    "Trace",
    "load_tokenizer",
    "read_costs",
    "read_traces",
    "replay",
]
