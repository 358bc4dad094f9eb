"""A block of tokens after the prompt has the logits of single tokens: states continue, time steps are not clamped."""

import copy
import pickle
import sys
import threading
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor

from ngramspec.hf.facts.running_state import takes_positions
from ngramspec.hf.seam import CACHE, DynamicCache, text_config, works_with_dynamic_cache
from ngramspec.hf.target import scans, time_steps
from ngramspec.hf.target.own_states import state_cache_of
from tests.hf.hybrids import ALONE, HYBRIDS, hybrid, with_blocks

pytestmark = with_blocks

CLAMPED = ("nemotron_h", "zamba2")
SCANNED = ("jamba", "zamba", "falcon_mamba")
PROMPT, LENGTH = 9, 20


def token_ids() -> Tensor:
    return torch.randint(2, 20, (1, LENGTH), generator=torch.Generator().manual_seed(3))


def positions(model: Any, start: int, width: int) -> dict[str, Tensor]:
    return {"position_ids": torch.arange(start, start + width)[None]} if takes_positions(model) else {}


def logits_one_by_one(model: Any) -> Tensor:
    """Logits `[1, L, V]`, in transformers' own cache."""
    ids, found = token_ids(), list[Tensor]()
    held: dict[str, Any] = {CACHE: DynamicCache(config=text_config(model))} if works_with_dynamic_cache(model) else {}
    for start, width in [(0, PROMPT), *((start, 1) for start in range(PROMPT, LENGTH))]:
        with torch.no_grad():
            part = ids[:, start : start + width]
            more = positions(model, start, width)
            output = model(input_ids=part, use_cache=True, return_dict=True, **held, **more)
        held = {name: output[name] for name in (CACHE, "state") if name in output}
        found.append(output.logits)
    return torch.cat(found, dim=1)


def logits_in_blocks(model: Any, *widths: int, unclamped: bool = True, from_states: bool = True) -> Tensor:
    """Logits `[1, L, V]`, in our cache; the prompt is the first block."""
    cache, ids, start = state_cache_of(model), token_ids(), 0
    found: list[Tensor] = []
    for width in (PROMPT, *widths):
        slots = torch.arange(start, start + width)[None]
        cache.place(slots, start + width, start)
        with torch.no_grad(), ExitStack() as stack:
            if start and unclamped:
                stack.enter_context(time_steps.unclamped())
            if start and from_states:
                stack.enter_context(scans.from_states(cache))
            more = positions(model, start, width)
            part = ids[:, start : start + width]
            output = model(input_ids=part, use_cache=True, return_dict=True, **cache.arguments(), **more)
        cache.take(output)
        found.append(output.logits)
        start += width
    return torch.cat(found, dim=1)


def prepared(name: str) -> Any:
    model = hybrid(name)
    time_steps.prepare(model)
    scans.prepare(model)
    return model


@pytest.mark.parametrize("name", [*HYBRIDS, *ALONE])
def test_a_block_has_the_logits_of_single_tokens(name: str) -> None:
    model = prepared(name)
    torch.testing.assert_close(  # some kernels compute in single precision
        logits_in_blocks(model, 6, 5), logits_one_by_one(model), rtol=0, atol=1e-4
    )


def test_rwkv_reads_single_tokens_of_a_batch_otherwise_than_those_of_one_row() -> None:
    """Else it would be drafted for in batches. Two tokens at once are read row by row."""
    model, ids = hybrid("rwkv"), torch.randint(2, 20, (2, PROMPT), generator=torch.Generator().manual_seed(3))

    def after_the_prompt(ids: Tensor, width: int) -> Tensor:
        with torch.no_grad():
            state = model(input_ids=ids[:, :-width], use_cache=True).state
            logits: Tensor = model(input_ids=ids[:, -width:], state=state, use_cache=True).logits[:, -1]
        return logits

    for width, differs in ((1, True), (2, False)):
        alone = torch.cat([after_the_prompt(row, width) for row in ids[:, None]])
        assert differs == (float((alone - after_the_prompt(ids, width)).abs().max()) > 1e-3)


@pytest.mark.parametrize("name", CLAMPED)
def test_a_block_that_is_clamped_has_others(name: str) -> None:
    """Else the test above says nothing of `unclamped`."""
    model = prepared(name)
    clamped = logits_in_blocks(model, 11, unclamped=False)
    assert float((logits_one_by_one(model) - clamped).abs().max()) > 1e-3


@pytest.mark.parametrize("name", SCANNED)
def test_a_scan_from_an_empty_state_has_others(name: str) -> None:
    """Else it says nothing of `from_states`."""
    model = prepared(name)
    from_nothing = logits_in_blocks(model, 11, from_states=False)
    assert float((logits_one_by_one(model) - from_nothing).abs().max()) > 1e-3


def test_limits_are_as_they_were_outside_of_the_block_and_in_other_threads() -> None:
    model = prepared("nemotron_h")
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


def test_scans_are_as_they_were_outside_of_the_block_and_in_other_threads() -> None:
    model = prepared("jamba")
    module = sys.modules[type(model).__module__]
    scan = getattr(module, scans.SCAN)
    generator = torch.Generator().manual_seed(0)
    tokens, steps, gates = (torch.rand((2, 6, 5), generator=generator) for _ in range(3))
    keys, queries = (torch.rand((2, 4, 5), generator=generator) for _ in range(2))
    decay, state = -torch.rand((6, 4), generator=generator), torch.rand((2, 6, 4), generator=generator)
    settings = {"D": torch.ones(6), "z": gates, "delta_bias": torch.zeros(6), "delta_softplus": True}

    def scanned() -> Tensor:
        found: Tensor = scan(tokens, steps, decay, keys, queries, **settings, return_last_state=True)[0]
        return found

    expected, seen = scan.__wrapped__(tokens, steps, decay, keys, queries, **settings), []
    cache = state_cache_of(model)
    cache._asked_for = state
    with scans.from_states(cache):
        thread = threading.Thread(target=lambda: seen.append(scanned()))
        thread.start()
        thread.join()
        assert not torch.allclose(expected, scanned())
    assert [expected.tolist()] * 2 == [seen[0].tolist(), scanned().tolist()]
    scans.prepare(model)
    assert scan is getattr(module, scans.SCAN)
