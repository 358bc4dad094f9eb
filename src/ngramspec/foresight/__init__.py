"""What a text under a guard will probably say next: a guess for the drafter, which nobody relies on."""

from ngramspec.foresight.evidence import CONTINUED, Evidence
from ngramspec.foresight.foresight import Foresight, whole
from ngramspec.foresight.json_text import JsonText
from ngramspec.foresight.keyed_text import KeyedText
from ngramspec.foresight.run import LONGEST

__all__ = ["CONTINUED", "LONGEST", "Evidence", "Foresight", "JsonText", "KeyedText", "whole"]
