"""Room for draft tokens in vLLM's next pass: what next tokens and prompts leave of it.

vLLM fills a pass (`max_num_batched_tokens`) in order: rows with their drafts, the latest rows last, then waiting
prompts. A drafted token would displace a row's next token, or one of a prompt. These are needed in any case, a drafted
token only if it is accepted.
"""

from itertools import islice
from typing import Any


def room_for_drafts(scheduler: Any) -> int:
    """Draft tokens, at least 0, for the next pass of vLLM's scheduler. Requests that join before it are not counted."""
    running = sum(request.num_tokens - request.num_computed_tokens for request in scheduler.running)
    return max(0, int(scheduler.max_num_scheduled_tokens - running - _waiting(scheduler)))


def _waiting(scheduler: Any) -> int:
    """Tokens of the prompts that the next pass may start to read, as far as there are seats and free cache for them."""
    seats = max(0, scheduler.max_num_active_reqs - len(scheduler.running))
    cache = int(scheduler.kv_cache_manager.block_pool.get_num_free_blocks() * scheduler.block_size)
    prompts = (
        int(request.num_tokens - request.num_computed_tokens)
        for request in islice(scheduler.waiting, seats)
        if request.status.name in ("WAITING", "PREEMPTED")  # others wait for something, such as their grammar
    )
    return min(sum(prompts), cache)
