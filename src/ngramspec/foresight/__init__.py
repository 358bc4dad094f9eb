"""What a text under a guard will probably say next: a guess for the drafter, which nobody relies on."""

from ngramspec.foresight.evidence import CONTINUED, Evidence
from ngramspec.foresight.foresight import Foresight, whole
from ngramspec.foresight.json_text import JsonText
from ngramspec.foresight.keyed_text import KeyedText
from ngramspec.foresight.run import LONGEST
from ngramspec.foresight.style import COMPACT, PLAIN

__all__ = ["COMPACT", "CONTINUED", "LONGEST", "PLAIN", "Evidence", "Foresight", "JsonText", "KeyedText", "whole"]
