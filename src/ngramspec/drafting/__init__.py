"""What might come next: drafts looked up in the text itself."""

from ngramspec.drafting.prompt_lookup import PromptLookup, PromptLookupSession
from ngramspec.drafting.suffix_index import Match, SuffixIndex
from ngramspec.drafting.types import NO_DRAFT, Draft, Drafter, DraftSession, TokenArray

__all__ = [
    "NO_DRAFT",
    "Draft",
    "DraftSession",
    "Drafter",
    "Match",
    "PromptLookup",
    "PromptLookupSession",
    "SuffixIndex",
    "TokenArray",
]
