"""What may come next: guards and matchers over third-party grammar engines."""

from ngramspec.guards.backends.llguidance import LLGuidanceFollower
from ngramspec.guards.backends.xgrammar import XGrammarFollower
from ngramspec.guards.follower import Follower
from ngramspec.guards.guard import Guard, RowGuards
from ngramspec.guards.limits import Limits
from ngramspec.guards.lookahead import Lookahead
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.processor import GuardProcessor
from ngramspec.guards.types import BitmaskArray
from ngramspec.guards.vocabulary import Vocabulary

__all__ = [
    "BitmaskArray",
    "Follower",
    "Guard",
    "GuardProcessor",
    "LLGuidanceFollower",
    "Limits",
    "Lookahead",
    "Matcher",
    "RowGuards",
    "Vocabulary",
    "XGrammarFollower",
]
