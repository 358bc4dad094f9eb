"""One tenant's text is not drafted for another, makes none of its calls faster, and cannot be read anywhere."""

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ngramspec
from ngramspec import AdaptiveLookup, FixedBudget, Speculator
from ngramspec.drafting import salted
from tests.drafting.test_adaptive_lookup import first_draft, play
from tests.drafting.test_suffix_index import tokens_of
from tests.hf.models import padded_prompts, tiny

CALL: dict[str, Any] = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": None, "segment": "a"}


def text_of(**more: Any) -> torch.Tensor:
    call = {name: value for name, value in (CALL | more).items() if name not in ("segment", "cache_salt")}
    made: torch.Tensor = tiny("llama").generate(**padded_prompts(1), **call)
    return made


def counted(spec: Speculator, **more: Any) -> tuple[int, int]:
    """Accepted draft tokens and passes of one more call, whose text is plain's."""
    before = spec.stats.total
    made = tiny("llama").generate(**padded_prompts(1), **CALL | more, custom_generate=spec)
    assert torch.equal(text_of(), made)
    after = spec.stats.total.since(before)
    return after.num_accepted_tokens, after.target_passes


def test_a_call_is_as_fast_as_if_no_other_tenant_had_asked_the_same() -> None:
    alone, shared = (Speculator(AdaptiveLookup(), FixedBudget(8)) for _ in range(2))
    first = counted(alone, cache_salt="mine")
    assert first == counted(shared, cache_salt="theirs")
    after_theirs = counted(shared, cache_salt="mine")
    assert first == after_theirs
    assert counted(shared)[0] == first[0]  # without a salt: of another tenant too
    again = counted(shared, cache_salt="mine")
    assert again[1] < first[1]  # its own history does make it faster


def test_rows_of_a_batch_are_of_the_tenants_that_are_named() -> None:
    spec = Speculator(AdaptiveLookup(), FixedBudget(8))
    tiny("llama").generate(**padded_prompts(3), **CALL, cache_salt=["x", None, "y"], custom_generate=spec)
    keys = {salted("a", "x"), "a", salted("a", "y")}
    assert keys == set(spec.drafter.segments)  # type: ignore[attr-defined]
    assert ["a"] == list(spec.stats.segments)


def test_enable_takes_a_salt() -> None:
    spec = Speculator(AdaptiveLookup(), FixedBudget(8))
    with ngramspec.enable(tiny("llama"), spec):
        tiny("llama").generate(**padded_prompts(1), **CALL, cache_salt="x")
    assert [salted("a", "x")] == list(spec.drafter.segments)  # type: ignore[attr-defined]


def test_a_history_says_nothing_of_the_salt_but_its_digest(tmp_path: Any) -> None:
    drafter = AdaptiveLookup()
    play(drafter, [1, 2, 3], [4, 5, 6], salted("a", "secret salt"))
    drafter.save(tmp_path / "history", "words")
    assert b"secret salt" not in (tmp_path / "history").read_bytes()
    restarted = AdaptiveLookup.load(tmp_path / "history", "words")
    assert [5, 6] == first_draft(restarted.open(salted("a", "secret salt")), [1], [4], 2)
    assert [] == first_draft(restarted.open(salted("a", "another")), [1], [4], 2)


def test_references_and_forgetting_are_by_tenant() -> None:
    drafter = AdaptiveLookup()
    drafter.refer("a", [tokens_of([1, 2, 3, 4])], cache_salt="mine")
    drafter.refer("a", [tokens_of([1, 7, 8, 9])], cache_salt="theirs")
    assert [2, 3] == first_draft(drafter.open(salted("a", "mine")), [6], [1], 2)
    drafter.forget("a", cache_salt="theirs")
    drafter.forget("a")
    assert [salted("a", "mine")] == list(drafter.segments)


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.text(min_size=1)), min_size=2, max_size=2, unique=True))
def test_no_two_pairs_of_segment_and_salt_have_one_key(pairs: list[tuple[str | None, str | None]]) -> None:
    try:
        first, second = (salted(*pair) for pair in pairs)
    except ValueError:
        assert any(segment is not None and segment.startswith("\0salt:") for segment, _ in pairs)
        return
    assert (first is None and second is None) or first != second


def test_no_name_of_a_segment_can_be_another_tenants_key() -> None:
    key = f"\0salt:{hashlib.sha256(b'x').hexdigest()}:a"
    assert key == salted("a", "x")
    with pytest.raises(ValueError, match="the name of a segment must not begin with"):
        tiny("llama").generate(**padded_prompts(1), **CALL | {"segment": key}, custom_generate=Speculator())
    with pytest.raises(ValueError, match="cache_salt must not be empty, got ''"):
        tiny("llama").generate(**padded_prompts(1), **CALL, cache_salt="", custom_generate=Speculator())
    with pytest.raises(TypeError, match="cache_salt must be a text for the whole call, or a list of one for each of 1"):
        tiny("llama").generate(**padded_prompts(1), **CALL, cache_salt=5, custom_generate=Speculator())


@pytest.mark.parametrize("argument", ["segment", "cache_salt"])
def test_a_name_that_would_take_much_memory_is_refused(argument: str) -> None:
    with pytest.raises(
        ValueError, match=f"{argument} must have at most 1024 characters, got 1025: pass a digest of it"
    ):
        tiny("llama").generate(**padded_prompts(1), **CALL | {argument: "x" * 1025}, custom_generate=Speculator())


PROMPTS = st.lists(st.integers(0, 5), min_size=1, max_size=7)
"""Of fewer than eight tokens, so that no n-gram of them is hashed."""


@given(
    rows=st.lists(st.tuples(PROMPTS, st.lists(st.integers(0, 5), max_size=12)), min_size=1, max_size=4),
    names=st.permutations(range(100, 106)),
)
@settings(max_examples=60, deadline=None)
def test_what_is_learnt_of_a_tenants_rows_is_the_same_whatever_its_tokens_stand_for(
    rows: list[tuple[list[int], list[int]]], names: list[int]
) -> None:
    """Shared weights tell how often which matches were right. Of two texts that repeat themselves at the same positions
    they are the same numbers, bit by bit; so nothing of what a text says can be read from them.
    """
    as_written, renamed = AdaptiveLookup(), AdaptiveLookup()
    for prompt, output in rows:
        play(as_written, prompt, output, salted("a", "theirs"))
        renamed_prompt, renamed_output = ([names[token] for token in text] for text in (prompt, output))
        play(renamed, renamed_prompt, renamed_output, salted("a", "theirs"))
    assert as_written.survival.parameters().tolist() == renamed.survival.parameters().tolist()
    mine = [7, 8, 9, 7, 8, 9, 7]
    first, second = (play(each, mine, [8, 9, 7, 8], salted("a", "mine")) for each in (as_written, renamed))
    assert [draft.survival.tolist() for draft in first] == [draft.survival.tolist() for draft in second]
    assert {int(token) for draft in first for token in draft.tokens} <= set(mine)


def test_what_passes_cost_is_shared_and_says_nothing_of_a_text() -> None:
    """Costs hold seconds and counts, by rows and widths: none is longer for a longer or another text."""
    states = []
    for seed in (0, 1):
        spec = Speculator(AdaptiveLookup(), FixedBudget(0), clock=itertools.count(0.0, 0.25).__next__)
        tiny("llama").generate(**padded_prompts(1, seed=seed), **CALL, cache_salt="x", custom_generate=spec)
        states.append(spec.costs.of(tiny("llama")).state())
    assert states[0] == states[1]
    assert np.isfinite([seconds for _, _, times in states[0]["alone"] for seconds in times]).all()
