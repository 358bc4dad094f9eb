"""A child that is forked from a busy process decodes, whatever locks its parent's threads held."""

import os
import threading
import time

import pytest
import torch

import ngramspec
from ngramspec import FixedBudget, Speculator
from tests.hf.models import padded_prompts, tiny
from tests.test_forking import child_ends_with

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")


def test_children_of_a_process_that_decodes_and_is_watched_decode_the_same_text(tmp_path: object) -> None:
    """Threads hold every lock now and then: of statistics, histories, prices, trials, settings."""
    spec, model, is_over = Speculator(budget=FixedBudget(4)), tiny("llama"), threading.Event()
    call = {**padded_prompts(1), "max_new_tokens": 6, "eos_token_id": None}
    plain = model.generate(**call)
    other = tiny("gpt2")

    def watch() -> None:
        while not is_over.is_set():
            list(spec.stats)
            spec.drafter.segments  # type: ignore[attr-defined]  # noqa: B018
            spec.costs.of(model).state()
            with ngramspec.enable(other):
                pass

    def decode(number: int) -> None:
        while not is_over.is_set():
            model.generate(**call, custom_generate=spec, segment=str(number))

    def child() -> int:
        with ngramspec.enable(model, spec):
            made = model.generate(**call, segment="child")
        spec.drafter.save(f"{tmp_path}/{os.getpid()}", "words")  # type: ignore[attr-defined]
        spec.save_costs(f"{tmp_path}/{os.getpid()}")
        return 7 if torch.equal(plain, made) else 1

    threads = [threading.Thread(target=watch) for _ in range(3)]
    threads += [threading.Thread(target=decode, args=(number,)) for number in range(2)]
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # torch's own pool does not outlive a fork
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.2)
        assert [7] * 10 == [child_ends_with(child) for _ in range(10)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        torch.set_num_threads(num_threads)
    assert torch.equal(plain, model.generate(**call, custom_generate=spec))
