"""What might come next: drafts looked up in the text itself."""

from ngramspec.drafting.adaptive_lookup import AdaptiveLookup, AdaptiveLookupSession
from ngramspec.drafting.prompt_lookup import PromptLookup, PromptLookupSession
from ngramspec.drafting.suffix_index import Match, SuffixIndex
from ngramspec.drafting.types import NO_DRAFT, NO_SURVIVAL, Draft, Drafter, DraftSession, FloatArray, TokenArray

__all__ = [
    "NO_DRAFT",
    "NO_SURVIVAL",
    "AdaptiveLookup",
    "AdaptiveLookupSession",
    "Draft",
    "DraftSession",
    "Drafter",
    "FloatArray",
    "Match",
    "PromptLookup",
    "PromptLookupSession",
    "SuffixIndex",
    "TokenArray",
]
