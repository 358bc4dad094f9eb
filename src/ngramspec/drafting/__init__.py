"""Drafters: drafts looked up in the text itself."""

from ngramspec.drafting.adaptive_lookup import AdaptiveLookup, AdaptiveLookupSession
from ngramspec.drafting.core import Match, SuffixIndex
from ngramspec.drafting.no_drafts import NoDrafts, NoDraftsSession
from ngramspec.drafting.prompt_lookup import PromptLookup, PromptLookupSession
from ngramspec.drafting.references import checked_references
from ngramspec.drafting.salting import salted
from ngramspec.drafting.types import (
    NO_DRAFT,
    NO_SURVIVAL,
    ROOT,
    BatchDrafter,
    Draft,
    Drafter,
    DraftSession,
    FloatArray,
    HeedingSession,
    Likely,
    SteerableSession,
    SteerableTreeSession,
    Steering,
    TokenArray,
    Tree,
    TreeSession,
    propose_all,
    propose_tree,
    propose_trees,
)

__all__ = [
    "NO_DRAFT",
    "NO_SURVIVAL",
    "ROOT",
    "AdaptiveLookup",
    "AdaptiveLookupSession",
    "BatchDrafter",
    "Draft",
    "DraftSession",
    "Drafter",
    "FloatArray",
    "HeedingSession",
    "Likely",
    "Match",
    "NoDrafts",
    "NoDraftsSession",
    "PromptLookup",
    "PromptLookupSession",
    "SteerableSession",
    "SteerableTreeSession",
    "Steering",
    "SuffixIndex",
    "TokenArray",
    "Tree",
    "TreeSession",
    "checked_references",
    "propose_all",
    "propose_tree",
    "propose_trees",
    "salted",
]
