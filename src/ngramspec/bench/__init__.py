"""A user's model and prompts, decoded plainly, by transformers' prompt lookup and with drafts of ours, in turns."""

from ngramspec.bench.measuring import Benched, bench
from ngramspec.bench.turns import Request

__all__ = ["Benched", "Request", "bench"]
