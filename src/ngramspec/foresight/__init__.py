"""Foresight: the probable continuation of a text under a guard. It is a guess for the drafter; no result depends on it.

Each kind of text is a module or a package that registers itself when it is imported (`kinds.py`). SQL is registered
after `key=value`, so a grammar that suits both is SQL if it has SELECT.
"""

from ngramspec.foresight.evidence import CONTINUED, Evidence, Piece
from ngramspec.foresight.foresight import Foresight, whole
from ngramspec.foresight.json_text import JsonText
from ngramspec.foresight.keyed_text import KeyedText
from ngramspec.foresight.kinds import Grammar, Kind, Text, register, text_of
from ngramspec.foresight.run import LONGEST, End, Run, Speller, spelled
from ngramspec.foresight.sql import SqlText

__all__ = [
    "CONTINUED",
    "LONGEST",
    "End",
    "Evidence",
    "Foresight",
    "Grammar",
    "JsonText",
    "KeyedText",
    "Kind",
    "Piece",
    "Run",
    "Speller",
    "SqlText",
    "Text",
    "register",
    "spelled",
    "text_of",
    "whole",
]
