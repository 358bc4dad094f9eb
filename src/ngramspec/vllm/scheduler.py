"""vLLM's scheduler, with our drafts: the engine core has the requests, their parameters and grammars.

The scheduler's interface is not public. On an untried release ours warns once, and behaves like vLLM's own.
"""

from typing import Any

import vllm
from vllm.v1.core.sched.scheduler import Scheduler as VllmScheduler

from ngramspec.vllm.scheduler_drafts import SchedulerDrafts
from ngramspec.vllm.tested_releases import TRIED, is_tested
from ngramspec.vllm.trouble import logger


class Scheduler(VllmScheduler):
    """For `--scheduler-cls ngramspec.vllm.Scheduler`, with a proposer that drafts nothing.

    drafts: makes the drafts; None if vLLM decodes as usual.

    Raises at construction: ValueError for unknown settings, HistoryError or OSError for the history file.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.drafts: SchedulerDrafts | None = None
        refusal = _refusal(self)
        if refusal is None:
            self.drafts = SchedulerDrafts(self)
        else:
            logger.warning("ngramspec drafts nothing, and vLLM goes on as it is: %s", refusal)

    def schedule(self, *arguments: Any, **named: Any) -> Any:
        """See vLLM's."""
        output = super().schedule(*arguments, **named)
        if self.drafts is not None:
            self.drafts.started(output)
        return output

    def update_from_output(self, scheduler_output: Any, model_runner_output: Any) -> Any:
        """See vLLM's."""
        if self.drafts is not None:
            self.drafts.passed(scheduler_output, model_runner_output)
        return super().update_from_output(scheduler_output, model_runner_output)

    def update_draft_token_ids(self, draft_token_ids: Any) -> None:
        """See vLLM's, which cuts drafts by its grammars."""
        if self.drafts is not None:
            draft_token_ids = self.drafts.instead_of(draft_token_ids, self)
        super().update_draft_token_ids(draft_token_ids)

    def _free_request(self, request: Any, *arguments: Any, **named: Any) -> Any:
        if self.drafts is not None:
            self.drafts.freed(request)
        return super()._free_request(request, *arguments, **named)

    def shutdown(self) -> None:
        """See vLLM's."""
        if self.drafts is not None:
            self.drafts.close()
        super().shutdown()


def _refusal(scheduler: Any) -> str | None:
    """Why nothing can be drafted here; None if drafts can be made."""
    version, config = vllm.__version__, scheduler.vllm_config
    if not is_tested(version):
        return f"vLLM must be one of {', '.join(f'{tried}*' for tried in TRIED)}, got {version}: see docs/vllm.md"
    if not scheduler.num_spec_tokens:
        return "vLLM must speculate, got no --speculative-config: name ngramspec.vllm.NullProposer there"
    if config.scheduler_config.async_scheduling or config.use_v2_model_runner:
        return "drafts must come from the scheduler, got asynchronous scheduling or runner V2: see docs/vllm.md"
    if config.parallel_config.distributed_executor_backend == "external_launcher":
        return "one scheduler must serve all ranks, got external_launcher: ranks would draft differently"
    return None
