"""Bad input gets a clear error before the first forward pass; whatever happens, model and Speculator stay usable."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessor
from transformers.generation.stopping_criteria import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

import ngramspec
from ngramspec import NgramspecError, PromptError, Speculator
from ngramspec.drafting import TokenArray
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.drafters import PatternDrafter, RandomDrafter
from tests.hf.entry.test_refusals import counted_passes
from tests.hf.models import EOS, FAMILIES, MAX_POSITIONS, PAD, VOCABULARY, padded_prompts, tiny

LENGTH = 9


def ids(*rows: list[int]) -> Tensor:
    return torch.tensor(rows, dtype=torch.long)


def masked(mask: Tensor, batch: int = 3) -> dict[str, Any]:
    return {"input_ids": padded_prompts(batch)["input_ids"], "attention_mask": mask}


def one_empty_row() -> dict[str, Any]:
    prompts = padded_prompts(3)
    prompts["attention_mask"][1] = 0
    return prompts


BAD: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "one row of nothing": (one_empty_row, r"at least one token, got empty rows \[1\]"),
    "too long": (
        lambda: padded_prompts(1, MAX_POSITIONS + 1),
        f"max_position_embeddings={MAX_POSITIONS}.*got {MAX_POSITIONS + 1}",
    ),
    "id too large": (
        lambda: {"input_ids": ids([3, VOCABULARY, 4])},
        f"< the vocabulary's {VOCABULARY}, got {VOCABULARY}",
    ),
    "id negative": (lambda: {"input_ids": ids([3, -1, 4])}, ">= 0 .* got -1"),
    "id far away in one row": (
        lambda: {"input_ids": ids([3, 4], [5, 10**12]), "attention_mask": torch.ones((2, 2), dtype=torch.long)},
        f"got {10**12}",
    ),
}
WRONG_MASKS: dict[str, Callable[[], Tensor]] = {
    "longer": lambda: torch.tensor([[0] * 4 + [1] * (LENGTH - 2)] * 3),
    "longer, all ones": lambda: torch.ones((3, LENGTH + 2), dtype=torch.long),
    "shorter": lambda: torch.tensor([[0] * 4 + [1] * (LENGTH - 6)] * 3),
    "shorter, all ones": lambda: torch.ones((3, LENGTH - 2), dtype=torch.long),
    "one row for three": lambda: torch.tensor([[0] * 4 + [1] * (LENGTH - 4)]),
    "more rows": lambda: torch.tensor([[0] * 4 + [1] * (LENGTH - 4)] * 4),
    "one dimension": lambda: torch.tensor([0] * 4 + [1] * (LENGTH - 4)),
    "three dimensions": lambda: torch.tensor([[[0] * 4 + [1] * (LENGTH - 4)]] * 3),
}


def ways(model: Any, spec: Speculator, call: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {
        "custom_generate": lambda: model.generate(**call, max_new_tokens=6, custom_generate=spec),
        "spec.generate": lambda: spec.generate(model, **call, max_new_tokens=6),
    }


@pytest.mark.parametrize("through", ["custom_generate", "spec.generate"])
@pytest.mark.parametrize(("prompts", "message"), BAD.values(), ids=BAD)
def test_a_bad_prompt_is_named_before_the_first_pass(
    prompts: Callable[[], dict[str, Any]], message: str, through: str
) -> None:
    model, spec = tiny("llama"), Speculator()
    call = ways(model, spec, prompts())[through]
    with counted_passes(model) as passes, pytest.raises(PromptError, match=message) as caught:
        call()
    assert not passes
    assert isinstance(caught.value, NgramspecError)
    assert isinstance(caught.value, ValueError)
    assert spec.stats.total.requests == 0


@pytest.mark.parametrize("batch", [1, 3])
def test_an_empty_prompt_is_an_error_before_the_first_pass(batch: int) -> None:
    model, spec = tiny("llama"), Speculator()
    call = ways(model, spec, {"inputs": torch.empty((batch, 0), dtype=torch.long)})
    with counted_passes(model) as passes, pytest.raises(PromptError, match="at least one token, got empty rows"):
        call["spec.generate"]()
    # Here transformers looks first, and fails at a batch in its own words.
    with counted_passes(model) as more, pytest.raises(PromptError if batch == 1 else IndexError):
        call["custom_generate"]()
    assert not passes
    assert not more


@pytest.mark.parametrize("mask", WRONG_MASKS.values(), ids=WRONG_MASKS)
def test_a_mask_of_the_wrong_shape_is_an_error_before_the_first_pass(mask: Callable[[], Tensor]) -> None:
    model, spec = tiny("llama"), Speculator()
    call = ways(model, spec, masked(mask()))
    with counted_passes(model) as passes, pytest.raises(PromptError, match=r"shape of input_ids=\[3, 9\], got"):
        call["spec.generate"]()
    # Here transformers looks first, and catches some of them in its own words.
    with counted_passes(model) as more, pytest.raises((ValueError, RuntimeError, IndexError)) as caught:
        call["custom_generate"]()
    assert not passes
    assert not more
    ours = Path(ngramspec.__file__).parent in Path(caught.traceback[-1].path).parents
    assert ours == isinstance(caught.value, PromptError)


def test_a_mask_of_ones_for_the_first_row_alone_is_what_it_is_in_plain_decoding() -> None:
    """transformers drops a mask of ones before its shape is checked, and its positions fit every row."""
    model = tiny("llama")
    call: dict[str, Any] = {**masked(torch.ones((1, LENGTH), dtype=torch.long)), "max_new_tokens": 20}
    if Version(transformers.__version__) < Version("5.18"):  # which forgets no mask
        with pytest.raises(PromptError, match="attention_mask must have the shape of input_ids"):
            model.generate(**call, custom_generate=Speculator())
        return
    plain = model.generate(**call)
    spec = oracle(plain, LENGTH)
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


def test_an_empty_list_of_ends_is_as_good_as_none() -> None:
    model, prompts = tiny("llama"), padded_prompts(1)
    arguments: dict[str, Any] = {"max_new_tokens": 20, "eos_token_id": []}
    plain = model.generate(**prompts, **arguments)
    spec = oracle(plain)
    assert plain.tolist() == model.generate(**prompts, **arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.usefixtures("trusted")
def test_a_batch_without_a_pad_token_is_an_error_before_the_first_pass() -> None:
    """Only criteria that end rows need padding, and only transformers' own come with a pad token by themselves."""

    class Ends(StoppingCriteria):
        eos_token_id = torch.tensor([EOS])

        def __call__(self, input_ids: Tensor, scores: Any) -> Tensor:
            return input_ids[:, -1] == EOS

    model, spec = tiny("llama"), Speculator()
    usual = model.generation_config.pad_token_id
    model.generation_config.pad_token_id = None
    try:
        call: dict[str, Any] = {**padded_prompts(3), "max_new_tokens": 20}
        with counted_passes(model) as passes, pytest.raises(PromptError, match="pad_token_id=None for 3 rows"):
            model.generate(**call, stopping_criteria=[Ends()], custom_generate=spec)
        assert not passes
        # With an end of sequence transformers pads with that; without any, nothing is ever padded.
        for end in (EOS, [EOS, 4], None):
            plain = model.generate(**call, eos_token_id=end)
            spec = oracle(plain)
            assert plain.tolist() == model.generate(**call, eos_token_id=end, custom_generate=spec).tolist()
            assert_accepted_and_rolled_back(spec)
    finally:
        model.generation_config.pad_token_id = usual


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mask_with_holes_is_no_error(family: str) -> None:
    """Padding on the right, in the middle and on both sides: what plain decoding makes of it, so do we."""
    prompts = padded_prompts(4, 12, seed=2)
    for row, holes in enumerate(([11], [5, 6], [0, 1, 10, 11], [0, 3, 7])):
        prompts["attention_mask"][row] = 1
        prompts["attention_mask"][row, holes] = 0
    call: dict[str, Any] = {**prompts, "max_new_tokens": 24, "eos_token_id": EOS}
    plain = tiny(family).generate(**call)
    spec = Speculator(OracleDrafter.of_output(plain, 12, VOCABULARY))
    assert plain.tolist() == tiny(family).generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("length", [MAX_POSITIONS - 3, MAX_POSITIONS])
def test_the_end_of_the_models_positions_is_met_as_in_plain_decoding(length: int) -> None:
    """gpt2 has no position after the last one, and fails there; llama goes on."""
    for family in ("gpt2", "llama"):
        outcomes = []
        for way in ({}, {"custom_generate": Speculator(RandomDrafter(VOCABULARY))}):
            try:
                output = tiny(family).generate(**padded_prompts(1, length), max_new_tokens=8, **way)
                outcomes.append(output[:, length:].tolist())
            except IndexError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]
        exact = {"max_length": MAX_POSITIONS + 1}  # the last token emitted is never read
        plain = tiny(family).generate(**padded_prompts(1, length), **exact)
        spec = oracle(plain, length)
        actual = tiny(family).generate(**padded_prompts(1, length), **exact, custom_generate=spec)
        assert plain.tolist() == actual.tolist()


class Breaks(LogitsProcessor):
    """Makes scores NaN from the seventh call on, of one row."""

    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.num_calls += 1
        if self.num_calls >= 7:
            scores[-1, 3] = torch.nan
        return scores


@pytest.mark.parametrize("batch", [1, 3])
def test_sampling_from_nan_raises_as_in_plain_decoding(batch: int) -> None:
    call: dict[str, Any] = {**padded_prompts(batch), "max_new_tokens": 20}
    for way in ({}, {"custom_generate": Speculator(RandomDrafter(VOCABULARY))}):
        with pytest.raises(RuntimeError, match="probability tensor contains"):
            tiny("llama").generate(**call, do_sample=True, logits_processor=[Breaks()], **way)
    # A greedy choice takes NaN for the largest, so plain decoding goes on; so do we.
    plain = tiny("llama").generate(**call, logits_processor=[Breaks()])
    spec = Speculator(OracleDrafter.of_output(plain, LENGTH, VOCABULARY))
    assert plain.tolist() == tiny("llama").generate(**call, logits_processor=[Breaks()], custom_generate=spec).tolist()


def test_a_model_that_computes_nan_raises_when_sampled() -> None:
    model = tiny("llama")
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        usual = head[2, 0].item()
        head[2, 0] = torch.nan
    try:
        for batch in (1, 3):
            with pytest.raises(RuntimeError, match="probability tensor contains"):
                model.generate(**padded_prompts(batch), do_sample=True, max_new_tokens=4, custom_generate=Speculator())
    finally:
        with torch.no_grad():
            head[2, 0] = usual


class Interrupts(LogitsProcessor, StoppingCriteria, BaseStreamer):
    """A processor, criterion or streamer that is interrupted at one of its calls."""

    def __init__(self, at: int, error: type[BaseException]) -> None:
        self.calls_left = at
        self.error = error

    def __call__(self, input_ids: Tensor, scores: Any) -> Any:
        self.put(input_ids)
        return scores if scores is not None else torch.zeros(len(input_ids), dtype=torch.bool)

    def put(self, value: Tensor) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.error

    def end(self) -> None:
        pass


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_after_an_interrupt_model_and_speculator_are_usable_and_exact(family: str, error: type[BaseException]) -> None:
    model, spec = tiny(family), Speculator(PatternDrafter(VOCABULARY, EOS, PAD))
    names: list[Callable[[Any], dict[str, Any]]] = [
        lambda made: {"logits_processor": [made]},
        lambda made: {"stopping_criteria": [made]},
        lambda made: {"streamer": made},
    ]
    for batch in (1, 3):
        call: dict[str, Any] = {**padded_prompts(batch), "max_new_tokens": 16, "eos_token_id": EOS}
        plain = model.generate(**call)
        for arguments in names:
            for at in (1, 4):
                before = str(spec.stats)
                with pytest.raises(error):
                    spec.generate(model, **call, **arguments(Interrupts(at, error)))
                assert before == str(spec.stats), "a call that did not end was counted"
                assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
                assert plain.tolist() == model.generate(**call).tolist()


def test_an_interrupt_in_the_middle_of_a_forward_pass_leaves_nothing_behind() -> None:
    model: Any = tiny("llama")
    call: dict[str, Any] = {**padded_prompts(3), "max_new_tokens": 16, "eos_token_id": EOS}
    plain = model.generate(**call)
    spec = oracle(plain)
    passes: list[int] = []

    def interrupt(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 4:
            raise KeyboardInterrupt

    handle = model.model.layers[1].register_forward_pre_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.generate(**call, custom_generate=spec)
    finally:
        handle.remove()
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


def test_a_drafter_that_raises_ends_the_call_with_its_error() -> None:
    class Broken(RandomDrafter):
        def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> Any:
            raise OSError("no index")

    with pytest.raises(OSError, match="no index"):
        tiny("llama").generate(**padded_prompts(3), max_new_tokens=8, custom_generate=Speculator(Broken(VOCABULARY)))


def test_many_threads_share_a_speculator() -> None:
    spec = Speculator()
    calls: list[tuple[str, dict[str, Any]]] = [
        (family, {**padded_prompts(batch, seed=batch), "max_new_tokens": 20, "eos_token_id": EOS})
        for family in FAMILIES
        for batch in (1, 2, 3)
    ]
    expected = [tiny(family).generate(**call).tolist() for family, call in calls]
    actual: dict[int, Any] = {}

    def decode(index: int) -> None:
        family, call = calls[index]
        actual[index] = tiny(family).generate(**call, custom_generate=spec, segment=family).tolist()

    threads = [threading.Thread(target=decode, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected == [actual[index] for index in range(len(calls))]
    assert spec.stats.total.requests == len(FAMILIES) * 6
    assert {name: counters.requests for name, counters in spec.stats} == dict.fromkeys(FAMILIES, 6)
    assert spec.stats.total.tokens == sum(counters.tokens for _, counters in spec.stats)
