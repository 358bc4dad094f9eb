"""Rows with running states that join and leave the batch of an engine."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import ModuleList

from ngramspec import FixedBudget, ModelEngine, PromptError, Speculator
from ngramspec.hf.engine.answer import Answer
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.target.state_pool import StatePool
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.drafters import NoDrafter
from tests.hf.hybrids import ALONE, HYBRIDS, hybrid, with_blocks
from tests.hf.models import padded_prompts

pytestmark = with_blocks

VOCABULARY = 32
OF_MACHINE = ("qwen3_next", "lfm2", "falcon_h1", "nemotron_h", "minimax", "jamba")
"""Families of `tests/hf/engine/test_model_engine.py`."""

LENGTHS = (5, 9, 12, 1, 3, 30, 7, 2)
LIMITS = (20, 8, 30, 14, 1, 11, 25, 9)


def prompt(length: int) -> Tensor:
    ids: Tensor = padded_prompts(1, length, seed=length, vocabulary=VOCABULARY)["input_ids"]
    return ids


def alone(model: Any, ids: Tensor, limit: int) -> list[int]:
    """What `generate()` emits."""
    emitted: list[int] = model.generate(ids, max_new_tokens=limit)[0, ids.shape[1] :].tolist()
    return emitted


def drained(engine: ModelEngine) -> None:
    while not engine.is_idle:
        engine.step()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[ModelRow], Sequence[list[int]], Tensor]]:
    """Of each pass its rows, the tokens that each read, and the logits `[R, n, V]`."""
    noted: list[tuple[Sequence[ModelRow], Sequence[list[int]], Tensor]] = []
    forward = StatePool._forward

    def noting(pool: StatePool, rows: Sequence[ModelRow], tokens: Sequence[list[int]], num_logits: int) -> Tensor:
        logits = forward(pool, rows, tokens, num_logits)
        noted.append((list(rows), list(tokens), logits))
        return logits

    monkeypatch.setattr(StatePool, "_forward", noting)
    return noted


@pytest.mark.parametrize("name", [name for name in HYBRIDS if name not in OF_MACHINE])
def test_requests_that_join_one_after_another_have_the_texts_of_generate_alone(name: str) -> None:
    model, prompts = hybrid(name), [prompt(length) for length in LENGTHS]
    plain = [alone(model, ids, limit) for ids, limit in zip(prompts, LIMITS, strict=True)]
    spec, answers = Speculator(OracleDrafter(plain, VOCABULARY), FixedBudget(5)), list[Answer]()
    with ModelEngine(model, spec, max_rows=4, max_prompt_tokens=4) as engine:
        for ids, limit in zip(prompts, LIMITS, strict=True):
            answers.append(engine.add(ids, max_new_tokens=limit))
            engine.step()
        drained(engine)
        assert 0 == engine.num_shared_tokens
    assert plain == [answer.emitted for answer in answers]
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_prompt_that_is_read_in_parts_has_the_logits_of_one_that_is_read_at_once(
    name: str, passes: list[Any]
) -> None:
    """Whatever its length: some models clamp the time steps of prompts, and not those of single tokens."""
    model = hybrid(name)
    with ModelEngine(model, Speculator(NoDrafter(), FixedBudget(0)), max_prompt_tokens=1) as engine:
        engine.add(prompt(3), max_new_tokens=30)
        engine.step()
        for length in (10, 11):
            passes.clear()
            ids = prompt(length)
            answer = engine.add(ids, max_new_tokens=1)
            while not answer.ended:
                engine.step()
            parts = [(read, logits) for rows, (read, *_), logits in passes if rows == [answer.row]]
            assert ids[0].tolist() == [token for read, _ in parts for token in read]
            assert len(parts) > 1 < min(len(read) for read, _ in parts)
            with torch.no_grad():
                whole = model(ids).logits
            torch.testing.assert_close(parts[-1][1][:, -1], whole[:, -1], rtol=0, atol=1e-4)


def test_all_rows_that_decode_are_read_in_one_pass(passes: list[Any]) -> None:
    model, prompts = hybrid("qwen3_next"), [prompt(length) for length in (4, 5, 6)]
    with ModelEngine(model, Speculator(NoDrafter(), FixedBudget(0))) as engine:
        for ids in prompts:
            engine.add(ids, max_new_tokens=20)
        drained(engine)
    assert {1, 2, 3} == {len(rows) for rows, _, _ in passes}
    assert len(passes) <= len(prompts) + 19 + 2


@pytest.mark.parametrize("name", ["granitemoehybrid", "mamba2", "xlstm"])
def test_keys_states_and_their_copies_stay_within_the_bytes_of_the_cache(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request fills its line, but for what it reads again."""
    monkeypatch.setattr("ngramspec.hf.target.cache_bound.CHUNK", 64)
    model, used, lengths = hybrid(name), list[int](), (18, 5, 9, 3)
    bound = StatePool(model, torch.device("cpu"), 1)._bound
    most = 3 * bound.bytes_of(128)
    forward = StatePool._forward

    def noting(pool: StatePool, *arguments: Any) -> Tensor:
        logits = forward(pool, *arguments)
        cache = pool._cache
        used.append(sum(states.nbytes for states in cache._states()) + cache.state_bytes + cache.held_bytes)
        return logits

    monkeypatch.setattr(StatePool, "_forward", noting)
    texts = [alone(model, prompt(length), 40) for length in lengths]
    spec = Speculator(OracleDrafter(texts, VOCABULARY), FixedBudget(5))
    with ModelEngine(model, spec, max_rows=8, max_cache_bytes=most) as engine:
        answers = [engine.add(prompt(length), max_new_tokens=40) for length in lengths]
        drained(engine)
        assert texts == [answer.emitted for answer in answers]
        assert most / 2 < max(used) <= most
        if bound.bytes_per_slot:
            with pytest.raises(PromptError, match="a request must fit into max_cache_bytes"):
                engine.add(prompt(3), max_new_tokens=6 * 64)


def failing_once(monkeypatch: pytest.MonkeyPatch, model: Any, is_due: Callable[[int], bool]) -> None:
    """Let a pass fail in the last layer, when all layers before it have changed their states.

    is_due: whether this one, for its number of rows.
    """
    last = next(part for part in model.modules() if isinstance(part, ModuleList))[-1]
    kind = type(last)
    forward, failed = kind.forward, list[bool]()

    def failing(layer: Any, hidden: Tensor, *arguments: Any, **named: Any) -> Any:
        if not failed and layer is last and is_due(len(hidden)):
            failed.append(True)
            raise MemoryError("no room")
        return forward(layer, hidden, *arguments, **named)

    monkeypatch.setattr(kind, "forward", failing)


@pytest.mark.parametrize("name", ["qwen3_next", "mamba2", "minimax", "xlstm"])
@pytest.mark.parametrize("when", ["first part", "later part", "drafted"])
def test_a_pass_that_fails_leaves_the_states_as_they_were(
    name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = hybrid(name), [prompt(length) for length in (5, 9, 12)]
    texts = [alone(model, ids, 30) for ids in prompts]
    spec = Speculator(OracleDrafter(texts, VOCABULARY), FixedBudget(3))
    with ModelEngine(model, spec, max_prompt_tokens=3) as engine:
        answers = [engine.add(ids, max_new_tokens=30) for ids in prompts[:2]]
        while answers[-1].row.reads_prompt:
            engine.step()
        answers.append(engine.add(prompts[2], max_new_tokens=30))
        row = answers[2].row

        def is_due(num_rows: int) -> bool:
            if when == "drafted":
                return num_rows == 3
            return num_rows == 1 and row.reads_prompt and (row.num_cached == 0) == (when == "first part")

        failing_once(monkeypatch, model, is_due)
        with pytest.raises(MemoryError):
            drained(engine)
        drained(engine)
    assert texts == [answer.emitted for answer in answers]


def test_a_pass_without_drafts_that_fails_ends_its_rows_with_the_error_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their states were not copied."""
    model, prompts = hybrid("qwen3_next"), [prompt(length) for length in (5, 9, 12)]
    with ModelEngine(model, Speculator(NoDrafter(), FixedBudget(0)), max_rows=2) as engine:
        answers = [engine.add(ids, max_new_tokens=20) for ids in prompts]
        failing_once(monkeypatch, model, lambda num_rows: num_rows == 2)
        with pytest.raises(MemoryError):
            drained(engine)
        drained(engine)
        for answer in answers[:2]:
            assert answer.ended
            with pytest.raises(MemoryError, match="no room"):
                answer.result()
    assert alone(model, prompts[2], 20) == answers[2].emitted


def test_position_ids_of_ones_own_are_read_in_parts_too() -> None:
    model, ids = hybrid("qwen3_next"), prompt(12)
    given = torch.arange(12)[None] * 2 + 3
    plain = model.generate(ids, position_ids=given, max_new_tokens=20)
    assert plain.tolist() != model.generate(ids, max_new_tokens=20).tolist()
    spec = Speculator(OracleDrafter.of_output(plain, 12, VOCABULARY), FixedBudget(5))
    with ModelEngine(model, spec, max_prompt_tokens=4) as engine:
        engine.add(prompt(3), max_new_tokens=30)
        engine.step()
        answer = engine.add(ids, position_ids=given, max_new_tokens=20)
        drained(engine)
    assert plain.tolist() == answer.result().tolist()


@pytest.mark.parametrize("name", ALONE)
def test_requests_of_a_model_whose_rows_depend_on_each_other_are_read_in_passes_of_their_own(
    name: str, passes: list[Any]
) -> None:
    model, prompts = hybrid(name), [prompt(length) for length in (4, 5, 6)]
    texts = [alone(model, ids, 12) for ids in prompts]
    spec = Speculator(OracleDrafter(texts, VOCABULARY), FixedBudget(5))
    with ModelEngine(model, spec) as engine:
        answers = [engine.add(ids, max_new_tokens=12) for ids in prompts]
        drained(engine)
    assert texts == [answer.emitted for answer in answers]
    assert_accepted_and_rolled_back(spec)
    assert not passes
