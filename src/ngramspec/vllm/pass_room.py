"""Draft tokens that vLLM's next pass has room for: what next tokens and prompts leave of it.

vLLM fills a pass (`max_num_batched_tokens`) in order: rows with their drafts, the latest ones last, then prompts that
wait. A drafted token would displace the next token of a row, or one of a prompt. These are needed in any case, and it
is only if it is accepted.
"""

from itertools import islice
from typing import Any


def room_for_drafts(scheduler: Any) -> int:
    """Draft tokens, 0 at least, for the next pass of vLLM's scheduler; requests that join before it are not known."""
    running = sum(request.num_tokens - request.num_computed_tokens for request in scheduler.running)
    return max(0, int(scheduler.max_num_scheduled_tokens - running - _waiting(scheduler)))


def _waiting(scheduler: Any) -> int:
    """Tokens of the prompts that the next pass may begin to read: as many as there are seats, and free cache, for."""
    seats = max(0, scheduler.max_num_active_reqs - len(scheduler.running))
    cache = int(scheduler.kv_cache_manager.block_pool.get_num_free_blocks() * scheduler.block_size)
    prompts = (
        int(request.num_tokens - request.num_computed_tokens)
        for request in islice(scheduler.waiting, seats)
        if request.status.name in ("WAITING", "PREEMPTED")  # else its grammar, say, is not there yet
    )
    return min(sum(prompts), cache)
