"""`generate()` as users call it: every setting has its default, and the clock is the machine's own.

How much is drafted then depends on the time of passes, so these claims hold whatever the clock says.
"""

import time
from itertools import cycle
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ngramspec
from ngramspec import Guard, Speculator
from ngramspec.pico import load_pico
from ngramspec.pico.demo_inputs import DemoInput, demo_inputs
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.models import EOS, FAMILIES, VOCABULARY, padded_prompts, tiny


def assert_add_up(counters: Counters, num_rows: int) -> None:
    """Each pass emits what it accepts and a token of the target's own; a row may end before that one."""
    most = counters.target_passes + counters.num_accepted_tokens
    assert most - num_rows <= counters.tokens <= most
    assert num_rows == counters.requests
    assert counters.num_accepted_tokens <= counters.num_draft_tokens
    assert counters.target_passes == counters.num_drafts + sum(counters.num_undrafted_per_reason.values())


class TestDefaults:
    """No budget, no drafter and no clock of a test's own."""

    @pytest.fixture(autouse=True)
    def _steady_clock(self) -> None:
        """Instead of the one in `conftest.py`, which gives all other tests a clock that says the same in every run."""

    def test_the_clock_is_the_machines(self) -> None:
        defaults = Speculator.__init__.__kwdefaults__
        assert defaults is not None
        assert time.perf_counter is defaults["clock"] is Speculator().clock

    @pytest.mark.parametrize("way", ["custom_generate", "spec.generate", "enable"])
    @pytest.mark.parametrize("case", demo_inputs(), ids=lambda case: case.name)
    def test_a_copying_model_writes_what_it_writes_plainly(self, case: DemoInput, way: str) -> None:
        model, tokenizer = cast("tuple[Any, Any]", load_pico())
        inputs = tokenizer(case.prompt, return_tensors="pt")
        arguments = {**inputs, "max_new_tokens": 60, "do_sample": False}
        plain = model.generate(**arguments)
        spec = Speculator()
        if way == "custom_generate":
            output = model.generate(**arguments, custom_generate=spec)
        elif way == "spec.generate":
            output = spec.generate(model, **arguments)
        else:
            with ngramspec.enable(model) as spec:
                output = model.generate(**arguments)
        assert plain.tolist() == output.tolist()
        assert_add_up(spec.stats.total, 1)

    @pytest.mark.parametrize("do_sample", [False, True])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_calls_after_one_another_write_what_each_writes_plainly(self, family: str, do_sample: bool) -> None:
        model, spec = tiny(family), Speculator()
        more: dict[str, Any] = {"max_new_tokens": 40, "eos_token_id": EOS, "do_sample": do_sample}
        for seed in range(6):
            prompt = padded_prompts(1, seed=seed)
            torch.manual_seed(seed)
            plain = model.generate(**prompt, **more)
            torch.manual_seed(seed)
            assert plain.tolist() == model.generate(**prompt, **more, custom_generate=spec, segment="one").tolist()
        assert_add_up(spec.stats.total, 6)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_batch_writes_what_it_writes_plainly(self, family: str) -> None:
        model, prompts, spec = tiny(family), padded_prompts(4, seed=1), Speculator()
        more: dict[str, Any] = {"max_new_tokens": 40, "eos_token_id": EOS}
        plain = model.generate(**prompts, **more)
        assert plain.tolist() == model.generate(**prompts, **more, custom_generate=spec).tolist()
        assert_add_up(spec.stats.total, 4)

    def test_a_guarded_call_writes_what_its_mask_lets_it_write_plainly(self) -> None:
        model, tokenizer = cast("tuple[Any, Any]", load_pico())
        guard = Guard.json_schema({"properties": {"name": {"enum": ["Ann", "Bob"]}}, "required": ["name"]}, tokenizer)
        arguments = {**tokenizer("Ann", return_tensors="pt"), "max_new_tokens": 30, "do_sample": False}
        ends = model.generation_config.eos_token_id
        plain = model.generate(**arguments, logits_processor=[guard.processor(ends)])
        spec = Speculator()
        output = model.generate(**arguments, logits_processor=[guard], custom_generate=spec)
        assert plain.tolist() == output.tolist()
        assert_add_up(spec.stats.total, 1)


SECONDS = st.lists(st.sampled_from([0.0, 1e-9, 1e-5, 1e-3, 0.1, 60.0]), min_size=1, max_size=9)


def test_whatever_the_clock_says_the_text_is_that_of_plain_decoding() -> None:
    model, counters = tiny("llama"), Counters()
    prompts = padded_prompts(3, seed=2)
    more: dict[str, Any] = {"max_new_tokens": 40, "eos_token_id": EOS}
    plain = model.generate(**prompts, **more)
    width = prompts["input_ids"].shape[1]

    @given(seconds=SECONDS, seed=st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def check(seconds: list[float], seed: int) -> None:
        now, steps = [0.0], cycle(seconds)

        def clock() -> float:
            now[0] += next(steps)
            return now[0]

        spec = Speculator(OracleDrafter.of_output(plain, width, VOCABULARY, seed=seed), clock=clock)
        assert plain.tolist() == model.generate(**prompts, **more, custom_generate=spec).tolist()
        assert_add_up(spec.stats.total, 3)
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)
