"""What a text under a schema will probably say next: a guess for the drafter, which nobody relies on."""

from ngramspec.foresight.evidence import CONTINUED, Evidence
from ngramspec.foresight.foresight import JsonForesight, json_foresight

__all__ = ["CONTINUED", "Evidence", "JsonForesight", "json_foresight"]
