"""Inside vLLM: its scheduler drafts with our drafters, within its own grammars. See docs/vllm.md.

vllm serve MODEL --scheduler-cls ngramspec.vllm.Scheduler --speculative-config
    '{"method": "custom_class", "model": "ngramspec.vllm.NullProposer", "num_speculative_tokens": 16}'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ngramspec.vllm.metrics import StatLogger
    from ngramspec.vllm.proposer import NullProposer, Proposer
    from ngramspec.vllm.scheduler import Scheduler

__all__ = ["NullProposer", "Proposer", "Scheduler", "StatLogger"]

_HOMES = {
    "NullProposer": "ngramspec.vllm.proposer",
    "Proposer": "ngramspec.vllm.proposer",
    "Scheduler": "ngramspec.vllm.scheduler",
    "StatLogger": "ngramspec.vllm.metrics",
}


def __getattr__(name: str) -> Any:
    """Import a name when vLLM asks for it: its processes need one each."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
