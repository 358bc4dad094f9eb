"""What may come next: guards and matchers over third-party grammar engines."""

from ngramspec.guards.guard import Guard, RowGuards
from ngramspec.guards.limits import Limits
from ngramspec.guards.lookahead import Lookahead
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.processor import GuardProcessor
from ngramspec.guards.types import BitmaskArray
from ngramspec.guards.vocabulary import Vocabulary

__all__ = ["BitmaskArray", "Guard", "GuardProcessor", "Limits", "Lookahead", "Matcher", "RowGuards", "Vocabulary"]
