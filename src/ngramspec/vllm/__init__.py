"""vLLM integration: vLLM's scheduler drafts with our drafters, within vLLM's grammars. See docs/vllm.md.

vllm serve MODEL --scheduler-cls ngramspec.vllm.Scheduler --speculative-config
    '{"method": "custom_class", "model": "ngramspec.vllm.NullProposer", "num_speculative_tokens": 16}'
"""

from typing import TYPE_CHECKING

from ngramspec.lazily import lazily

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

# Each of vLLM's processes needs only one of them.
__getattr__, __dir__ = lazily(__name__, _HOMES)
