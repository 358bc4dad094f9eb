"""A block of tokens after the prompt has the logits of single tokens: states are carried on, time steps not clamped."""

import copy
import pickle
import threading
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from ngramspec.hf.facts.running_state import takes_positions
from ngramspec.hf.seam import CACHE, DynamicCache, cache_of, text_config, works_with_dynamic_cache
from ngramspec.hf.target import time_steps
from tests.hf.hybrids import HYBRIDS, hybrid, with_blocks

pytestmark = with_blocks

CLAMPED = ("nemotron_h", "zamba2")


def logits_of(model: Any, ids: Tensor, widths: list[int], *, is_clamped: bool = False) -> Tensor:
    """Logits `[1, L, V]` of `ids` `int64[1, L]`, read in passes of these widths; the first one is the prompt's."""
    cache = DynamicCache(config=text_config(model)) if works_with_dynamic_cache(model) else None
    start, found = 0, []
    for width in widths:
        positions = {"position_ids": torch.arange(start, start + width)[None]} if takes_positions(model) else {}
        with nullcontext() if is_clamped or not start else time_steps.unclamped(), torch.no_grad():
            part = ids[:, start : start + width]
            output = model(input_ids=part, use_cache=True, return_dict=True, **{CACHE: cache}, **positions)
        cache, start = cache_of(output), start + width
        found.append(output.logits)
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_block_has_the_logits_of_single_tokens(name: str) -> None:
    model = hybrid(name)
    time_steps.prepare(model)
    ids = torch.randint(2, 20, (1, 20), generator=torch.Generator().manual_seed(3))
    single, block = logits_of(model, ids, [9] + [1] * 11), logits_of(model, ids, [9, 6, 5])
    torch.testing.assert_close(block, single, rtol=0, atol=1e-4)  # some kernels compute in single precision


@pytest.mark.parametrize("name", CLAMPED)
def test_a_block_that_is_clamped_has_others(name: str) -> None:
    """Else the test above says nothing of `unclamped`."""
    model = hybrid(name)
    ids = torch.randint(2, 20, (1, 20), generator=torch.Generator().manual_seed(3))
    single, block = logits_of(model, ids, [9] + [1] * 11), logits_of(model, ids, [9, 11], is_clamped=True)
    assert float((single - block).abs().max()) > 1e-3


def test_limits_are_as_they_were_outside_of_the_block_and_in_other_threads() -> None:
    model = hybrid("nemotron_h")
    time_steps.prepare(model)
    mixer = next(part for part in model.modules() if "time_step_limit" in vars(part))
    own, seen = vars(mixer)["time_step_limit"], []
    with time_steps.unclamped():
        thread = threading.Thread(target=lambda: seen.append(mixer.time_step_limit))
        thread.start()
        thread.join()
        assert time_steps.NO_LIMIT == mixer.time_step_limit
    assert [own, own] == [*seen, mixer.time_step_limit]
    assert own == copy.deepcopy(mixer).time_step_limit == pickle.loads(pickle.dumps(mixer)).time_step_limit
    assert own != time_steps.NO_LIMIT
