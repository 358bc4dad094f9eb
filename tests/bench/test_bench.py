"""The gain of drafts for a user's model and prompts: all arms on the same calls, in turns, and every text compared."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import MambaConfig, MambaForCausalLM

from ngramspec.bench import Request, bench
from ngramspec.bench.arms import LOOKUP, OURS, PLAIN, Arm, Call, lookup_refusal
from ngramspec.bench.results import measured
from ngramspec.bench.turns import Answer, arms_for, call_of, num_calls, take_turns
from ngramspec.pico import load_pico
from ngramspec.pico.demo_inputs import demo_inputs
from ngramspec.simulate.page import page
from ngramspec.stats import Counters
from tests.hf.models import PAD, tiny

ROOM = 40


class Ticks:
    """A clock on which each call takes a second, whoever makes it."""

    def __init__(self) -> None:
        self._ticks = count()

    def __call__(self) -> float:
        return float(next(self._ticks))


@pytest.fixture(scope="module")
def pico() -> tuple[Any, list[Request]]:
    model, tokenizer = load_pico()
    return model, [Request(tokenizer.encode(job.prompt), job.name) for job in demo_inputs()]


def test_all_arms_write_the_text_of_plain_decoding_and_drafts_are_accepted_and_rolled_back(
    pico: tuple[Any, list[Request]],
) -> None:
    model, requests = pico
    told: list[int] = []
    made = bench(model, requests, [2, 1], max_new_tokens=ROOM, pad_token=0, clock=Ticks(), progress=told.append)
    one, two = made.found.results
    assert (1, 2) == (one.load, two.load)
    assert {LOOKUP: 3, OURS: 3} == one.total.identical
    assert {OURS: 3} == two.total.identical
    assert 0 == made.num_changed
    assert [3 * 3 + 2 * 2] * 13 == told
    for result in (one, two):
        counters = result.total.on.counters
        assert 0 < counters.num_accepted_tokens < counters.num_draft_tokens
        assert counters.target_passes < result.total.off.counters.target_passes == result.total.off.counters.tokens
        of_segments = [pair.on.counters for pair in result.segments.values()]
        assert counters.num_draft_tokens == sum(each.num_draft_tokens for each in of_segments)
        assert counters.tokens == sum(each.tokens for each in of_segments) == result.total.off.counters.tokens


def test_times_are_those_of_the_clock(pico: tuple[Any, list[Request]]) -> None:
    model, requests = pico
    made = bench(model, requests, [2], max_new_tokens=ROOM, pad_token=0, clock=Ticks())
    (only,) = made.found.results
    assert (1.0, 1.0, 1.0) == (only.total.gain.ratio, only.total.on.latency_s.p50, only.total.off.latency_s.p95)
    assert 2 == only.total.gain.requests  # two calls, of two rows and of one
    assert 2.0 == only.total.on.seconds
    assert only.total.on.counters.tokens / 2 == only.total.on.tokens_per_second


def test_a_history_begins_anew_at_each_size(pico: tuple[Any, list[Request]]) -> None:
    model, requests = pico
    same = [Request(requests[1].prompt, "invoices")] * 2
    first, second = bench(model, same, [1, 2], max_new_tokens=ROOM, pad_token=0, clock=Ticks()).found.results
    alone = bench(model, same, [2], max_new_tokens=ROOM, pad_token=0, clock=Ticks()).found.results[0]
    assert first.total.on.counters.target_passes < second.total.on.counters.target_passes  # it repeats the first answer
    assert abs(alone.total.on.counters.target_passes - second.total.on.counters.target_passes) <= 4


def scripted(name: str, end: int, noted: list[tuple[str, int]], most_rows: int | None = None) -> Arm:
    """An arm that emits a token and the end for each row, and then padding."""

    def decode(call: Call) -> Tensor:
        noted.append((name, len(call.segments)))
        prompt = call.inputs["input_ids"]
        answer = torch.tensor([[7, end, PAD, PAD]]).repeat(len(prompt), 1)
        return torch.cat([prompt, answer], dim=1)

    return Arm(name, decode, lambda sizes: [Counters(requests=1, tokens=size) for size in sizes], most_rows)


@given(num_requests=st.integers(1, 9), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True))
def test_each_arm_decodes_each_request_once_and_begins_as_often_as_the_others(
    pico: tuple[Any, list[Request]], num_requests: int, sizes: Sequence[int]
) -> None:
    model, _ = pico
    end = model.generation_config.eos_token_id
    requests = [Request([3] * (1 + index)) for index in range(num_requests)]
    noted: list[tuple[str, int]] = []
    arms = [scripted("a", end, noted), scripted("b", end, noted, most_rows=2), scripted("c", end, noted)]
    told: list[None] = []
    for size in sizes:
        noted.clear()
        found = take_turns(
            model,
            arms,
            requests,
            size,
            max_new_tokens=4,
            pad_token=PAD,
            clock=Ticks(),
            progress=lambda: told.append(None),
        )
        names = [arm.name for arm in arms_for(arms, size)]
        assert names == list(found) == (["a", "b", "c"] if size <= 2 else ["a", "c"])
        for answers in found.values():
            assert [[7, end]] * num_requests == [each.tokens for each in answers]
            assert [index // size for index in range(num_requests)] == [each.call for each in answers]
            assert {1.0} == {each.seconds for each in answers}
        began = [noted[start][0] for start in range(0, len(noted), len(names))]
        assert [names[number % len(names)] for number in range(len(began))] == began
    assert num_calls(num_requests, sizes, arms) == len(told)


def answer(*tokens: int, call: int = 0, seconds: float = 1.0) -> Answer:
    return Answer(list(tokens), Counters(requests=1, tokens=len(tokens), target_passes=len(tokens)), call, seconds)


def test_a_text_that_differs_is_counted_in_its_segment_and_a_call_is_one_observation() -> None:
    requests = [Request([3], "x"), Request([3], "y"), Request([3], "y")]
    plain = [answer(1, 2, seconds=4.0), answer(3, seconds=4.0), answer(4, 5, call=1, seconds=2.0)]
    ours = [answer(1, 2, seconds=2.0), answer(9, seconds=2.0), answer(4, 5, call=1, seconds=1.0)]
    (only,) = measured(requests, {2: {PLAIN: plain, OURS: ours}}).results
    assert ({OURS: 2}, {OURS: 1}, {OURS: 1}) == (
        only.total.identical,
        only.segments["x"].identical,
        only.segments["y"].identical,
    )
    assert (2.0, 2) == (only.total.gain.ratio, only.total.gain.requests)
    assert (6.0, 2.0, 4.0) == (only.total.off.seconds, only.segments["x"].off.seconds, only.segments["y"].off.seconds)


def test_the_page_shows_what_was_measured_and_dashes_for_what_was_not() -> None:
    answers = {PLAIN: [answer(1)], LOOKUP: [Answer([1], Counters(requests=1, tokens=1), 0, 0.5)], OURS: [answer(1)]}
    shown = page(measured([Request([3])], {1: answers}), ["one prompt"], "A title")
    assert "<h1>A title</h1>" in shown
    assert "1, lookup</td><td>500 ms" in shown
    assert "<td>-</td><td>-</td><td>-</td><td>-</td></tr>" in shown
    for unknown in ("formula", "Survival"):
        assert unknown not in shown


def test_what_transformers_prompt_lookup_refuses_is_left_out_and_said() -> None:
    config = MambaConfig(vocab_size=12, hidden_size=16, num_hidden_layers=1, state_size=4)
    model = MambaForCausalLM(config).eval()
    refusal = lookup_refusal(model, call_of(model, [Request([3, 4])], 4, PAD), pad_token=PAD)
    assert refusal is not None
    assert "stateful" in refusal


@pytest.mark.parametrize("sizes", [[], [0], [1, 3]])
def test_a_batch_is_no_larger_than_the_number_of_prompts(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="batch sizes must lie between 1 and the number of prompts, 2, got"):
        bench(tiny("llama"), [Request([3])] * 2, sizes, max_new_tokens=4, pad_token=PAD)
