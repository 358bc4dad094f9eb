"""Prompt-lookup n-gram speculation for language models: the same text in fewer passes.

>>> import ngramspec
>>> spec = ngramspec.Speculator()
>>> out = model.generate(**inputs, custom_generate=spec, max_new_tokens=256)    # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from ngramspec.errors import (
    CostsError,
    GuardError,
    GuardWarning,
    HistoryError,
    NgramspecError,
    NgramspecWarning,
    PromptError,
    RefusedError,
    TraceError,
    UnsupportedError,
)
from ngramspec.lazily import lazily

if TYPE_CHECKING:
    from ngramspec.decoding.budget import AdaptiveBudget, FixedBudget
    from ngramspec.drafting.adaptive_lookup import AdaptiveLookup
    from ngramspec.drafting.prompt_lookup import PromptLookup
    from ngramspec.guards import Guard, Limits, Vocabulary
    from ngramspec.hf.engine.model_engine import ModelEngine
    from ngramspec.hf.entry.enable import disable, enable
    from ngramspec.hf.entry.speculator import Speculator
    from ngramspec.pico import load_pico

__version__ = "0.2.0"

__all__ = [
    "AdaptiveBudget",
    "AdaptiveLookup",
    "CostsError",
    "FixedBudget",
    "Guard",
    "GuardError",
    "GuardWarning",
    "HistoryError",
    "Limits",
    "ModelEngine",
    "NgramspecError",
    "NgramspecWarning",
    "PromptError",
    "PromptLookup",
    "RefusedError",
    "Speculator",
    "TraceError",
    "UnsupportedError",
    "Vocabulary",
    "disable",
    "enable",
    "load_pico",
]

_HOMES = {
    "AdaptiveBudget": "ngramspec.decoding.budget",
    "AdaptiveLookup": "ngramspec.drafting.adaptive_lookup",
    "FixedBudget": "ngramspec.decoding.budget",
    "Guard": "ngramspec.guards",
    "Limits": "ngramspec.guards",
    "ModelEngine": "ngramspec.hf.engine.model_engine",
    "PromptLookup": "ngramspec.drafting.prompt_lookup",
    "Speculator": "ngramspec.hf.entry.speculator",
    "Vocabulary": "ngramspec.guards",
    "disable": "ngramspec.hf.entry.enable",
    "enable": "ngramspec.hf.entry.enable",
    "load_pico": "ngramspec.pico",
}

# `import ngramspec` alone loads neither torch nor a backend.
__getattr__, __dir__ = lazily(__name__, _HOMES)
