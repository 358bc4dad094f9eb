"""The same text as plain `generate()`, whatever is drafted: families, batches, paddings, limits, stops."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ngramspec.decoding import FixedBudget
from ngramspec.drafting import Draft, Drafter, PromptLookup, TokenArray
from ngramspec.hf import Speculator
from ngramspec.hf.types import Model
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from ngramspec.testing.drafters import OracleSession
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.drafters import PatternDrafter, RandomDrafter
from tests.hf.models import EOS, FAMILIES, MAX_POSITIONS, PAD, VOCABULARY, padded_prompts, tiny


@dataclass(frozen=True)
class Case:
    """A call of `generate()`."""

    prompts: list[list[int]]
    padding_side: str
    max_new_tokens: int
    eos_tokens: list[int]

    def inputs(self) -> dict[str, Tensor]:
        width = max(map(len, self.prompts))
        ids = torch.full((len(self.prompts), width), PAD)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(self.prompts):
            columns = slice(width - len(prompt), width) if self.padding_side == "left" else slice(0, len(prompt))
            ids[row, columns] = torch.tensor(prompt)
            mask[row, columns] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def arguments(self) -> dict[str, Any]:
        return {
            **self.inputs(),
            "max_new_tokens": self.max_new_tokens,
            "eos_token_id": self.eos_tokens or None,
            "pad_token_id": PAD,
        }


tokens = st.integers(2, 4)  # a tiny alphabet, so that prompts repeat themselves
prompts = st.lists(st.lists(tokens, min_size=1, max_size=14), min_size=1, max_size=4)
cases = st.builds(
    Case,
    prompts=prompts,
    padding_side=st.sampled_from(["left", "right"]),
    max_new_tokens=st.integers(1, 30),
    eos_tokens=st.sampled_from([[], [EOS], [EOS, 5], [2, 3, 7]]),
)


def emitted_by_plain(model: Model, case: Case) -> Tensor:
    output: Tensor = model.generate(**case.arguments(), do_sample=False)
    return output


def useful_drafter(plain: Tensor, case: Case, seed: int = 0) -> OracleDrafter:
    return OracleDrafter.of_output(plain, max(map(len, case.prompts)), VOCABULARY, seed=seed)


def assert_same(plain: Tensor, spec: Speculator, model: Model, case: Case) -> None:
    output = model.generate(**case.arguments(), do_sample=False, custom_generate=spec)
    assert plain.tolist() == output.tolist()


def assert_went_on_after_rollbacks(counters: Counters) -> None:
    """Nor when rows end with the draft that was rejected: what it left in the cache is then never read."""
    assert_accepted_and_rolled_back(counters)
    assert counters.num_drafts > 2 * counters.requests


@pytest.mark.parametrize("family", FAMILIES)
def test_speculation_equals_plain_decoding_with_a_useful_drafter(family: str) -> None:
    model, counters = tiny(family), Counters()

    @given(case=cases, seed=st.integers(0, 2**16), max_draft=st.integers(1, 12))
    @settings(max_examples=100, deadline=None)
    def check(case: Case, seed: int, max_draft: int) -> None:
        plain = emitted_by_plain(model, case)
        spec = Speculator(useful_drafter(plain, case, seed), FixedBudget(max_draft))
        assert_same(plain, spec, model, case)
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["random", "adversarial", "prompt lookup"])
def test_no_drafter_changes_the_text(family: str, kind: str) -> None:
    model, counters = tiny(family), Counters()

    @given(case=cases, seed=st.integers(0, 2**16))
    @settings(max_examples=40, deadline=None)
    def check(case: Case, seed: int) -> None:
        drafter: Drafter = PromptLookup()
        if kind == "random":
            drafter = RandomDrafter(VOCABULARY, seed)
        elif kind == "adversarial":
            drafter = PatternDrafter(VOCABULARY, EOS, PAD)
        spec = Speculator(drafter)
        assert_same(emitted_by_plain(model, case), spec, model, case)
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


# Plain eager attention in float64 makes NaN of left padding, so that pair has a float32 test of its own, below.
@pytest.mark.parametrize(("attention", "side"), [("sdpa", "left"), ("sdpa", "right"), ("eager", "right")])
@pytest.mark.parametrize("family", FAMILIES)
def test_identity_holds_while_drafts_are_accepted_and_rolled_back(family: str, attention: str, side: str) -> None:
    model = tiny(family, attention)
    counters = Counters()
    for eos_tokens in ([EOS], []):
        case = Case([[2, 3, 4, 2, 3], [4, 4], [2, 3, 2, 3, 2, 3, 2]], side, 40, eos_tokens)
        plain = emitted_by_plain(model, case)
        spec = Speculator(useful_drafter(plain, case), FixedBudget(10))
        assert_same(plain, spec, model, case)
        emitted = plain[:, 7:].tolist()
        ends = [row.index(EOS) + 1 if eos_tokens and EOS in row else len(row) for row in emitted]
        assert sum(ends) == spec.stats.total.tokens
        counters.add(spec.stats.total)
    assert_went_on_after_rollbacks(counters)


@pytest.mark.parametrize("family", FAMILIES)
def test_eager_attention_in_float32_equals_plain_decoding_with_left_padding(family: str) -> None:
    model = tiny(family, "eager").float()
    try:
        case = Case([[2, 3, 4, 2, 3], [4, 4], [2, 3, 2, 3, 2, 3, 2]], "left", 40, [])
        plain = emitted_by_plain(model, case)
        spec = Speculator(useful_drafter(plain, case), FixedBudget(10))
        assert_same(plain, spec, model, case)
        assert_went_on_after_rollbacks(spec.stats.total)
    finally:
        model.double()


class _CountsWidth:
    """Counts the query columns and rows that a model is given."""

    def __init__(self, model: Model) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.logits: list[int] = []
        self._hook = model.register_forward_pre_hook(self._note, with_kwargs=True)
        self._output_hook = model.register_forward_hook(lambda m, a, output: self.logits.append(output.logits.shape[1]))

    def _note(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.shapes.append(tuple(kwargs["input_ids"].shape))

    def remove(self) -> None:
        self._hook.remove()
        self._output_hook.remove()


@pytest.mark.usefixtures("trusted")
def test_finished_rows_leave_the_forward_pass_once_they_are_half_of_it() -> None:
    model = tiny("llama")
    prompts = [[2 + row % 3] * (1 + row) for row in range(8)]
    case = Case(prompts, "left", 60, [EOS])
    plain = emitted_by_plain(model, case)
    emitted = plain[:, 8:].tolist()
    lengths = sorted(row.index(EOS) if EOS in row else 60 for row in emitted)
    assert lengths[3] < lengths[-1] - 5, "the case must leave a long tail"
    widths, spec = _CountsWidth(model), Speculator(useful_drafter(plain, case), FixedBudget(10))
    try:
        assert_same(plain, spec, model, case)
    finally:
        widths.remove()
    assert_went_on_after_rollbacks(spec.stats.total)
    assert 8 == widths.shapes[0][0]
    assert 4 >= widths.shapes[-1][0]


@pytest.mark.usefixtures("trusted")
def test_a_prefill_builds_the_logits_of_the_draft_alone() -> None:
    model = tiny("llama")
    case = Case([[2, 3, 4] * 20], "left", 5, [])
    widths = _CountsWidth(model)
    try:
        model.generate(**case.arguments(), custom_generate=Speculator())
    finally:
        widths.remove()
    assert widths.shapes[0][1] > 60
    assert widths.logits[0] == widths.shapes[0][1] - 60 + 1


def test_num_return_sequences_draws_each_sequence_by_itself() -> None:
    model = tiny("llama")
    arguments = {**Case([[2, 3, 2, 3], [4, 2]], "left", 20, [EOS]).arguments(), "num_return_sequences": 3}
    outputs = []
    for budget in (0, 10):
        torch.manual_seed(3)
        spec = Speculator(PromptLookup(), FixedBudget(budget))
        outputs.append(model.generate(**arguments, do_sample=True, custom_generate=spec).tolist())
        assert 6 == spec.stats.total.requests
    assert_went_on_after_rollbacks(spec.stats.total)
    assert outputs[0] == outputs[1]
    assert 6 == len({tuple(row) for row in outputs[0]})


def test_position_ids_given_by_the_caller_are_kept() -> None:
    model = tiny("llama")
    case = Case([[2, 3, 4, 2], [3, 3, 2, 2]], "left", 40, [])
    arguments = {**case.arguments(), "position_ids": torch.tensor([[5, 6, 7, 8], [0, 2, 4, 6]])}
    plain = model.generate(**arguments)
    assert plain.tolist() != model.generate(**case.arguments()).tolist()
    spec = Speculator(useful_drafter(plain, case), FixedBudget(10))
    assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()
    assert_went_on_after_rollbacks(spec.stats.total)


def test_holes_in_the_mask_are_read_as_plain_decoding_reads_them() -> None:
    model = tiny("llama")
    ids = torch.tensor([[2, 3, 4, 2, 3, 4], [2, 2, 3, 3, 4, 4]])
    mask = torch.tensor([[1, 0, 0, 1, 1, 1], [0, 1, 1, 0, 1, 0]])
    arguments = {"input_ids": ids, "attention_mask": mask, "max_new_tokens": 40}
    plain = model.generate(**arguments)
    spec = Speculator(OracleDrafter.of_output(plain, 6, VOCABULARY), FixedBudget(10))
    assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()
    assert_went_on_after_rollbacks(spec.stats.total)


@pytest.mark.parametrize("family", FAMILIES)
def test_drafts_never_cross_the_last_position_that_the_model_knows(family: str) -> None:
    model = tiny(family)
    length = MAX_POSITIONS - 6
    case = Case([[2, 3] * (length // 2)], "left", 200, [EOS, *range(2, VOCABULARY)])
    plain = emitted_by_plain(model, case)  # ends at once: any token ends it
    spec = Speculator(PatternDrafter(VOCABULARY, EOS), FixedBudget(60))
    assert_same(plain, spec, model, case)


class _Lawless(OracleDrafter):
    """Drafts more than it is asked for: the right token, a wrong one, and ids that no model knows."""

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> OracleSession:
        session = super().open(segment, references)
        return _LawlessSession(self, session._emitted, session._rng)


class _LawlessSession(OracleSession):
    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        right = self._emitted[self._position : self._position + 1]
        wrong = [2 if right != [2] else 3]
        return Draft(np.array([*right, *wrong, VOCABULARY, -1, 2**31 - 1] * 20, np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        assert draft.tokens.size <= 2
        super().observe(draft, num_accepted)


def test_a_drafter_that_breaks_its_contract_is_cut_and_changes_nothing() -> None:
    model = tiny("gpt2")
    case = Case([[2, 3, 4], [4, 4]], "left", 25, [EOS])
    plain = emitted_by_plain(model, case)
    spec = Speculator(_Lawless.of_output(plain, 3, VOCABULARY), FixedBudget(10))
    assert_same(plain, spec, model, case)
    assert_went_on_after_rollbacks(spec.stats.total)


@pytest.mark.parametrize("max_draft", [0, 1, 10])
def test_one_speculator_serves_many_calls_and_models_and_counts_by_segment(max_draft: int) -> None:
    spec = Speculator(PromptLookup(), FixedBudget(max_draft))
    case = Case([[2, 3, 2, 3, 2, 3], [4, 4]], "left", 25, [])
    for family in FAMILIES:
        model = tiny(family)
        output = model.generate(**case.arguments(), custom_generate=spec, segment=family)
        assert emitted_by_plain(model, case).tolist() == output.tolist()
    segments = spec.stats.segments
    assert list(FAMILIES) == list(segments)
    assert [2] * 4 == [counters.requests for counters in segments.values()]
    assert [50] * 4 == [counters.tokens for counters in segments.values()]
    assert spec.stats.total.tokens == 200
    if max_draft:
        assert_went_on_after_rollbacks(spec.stats.total)
    assert (spec.stats.total.num_draft_tokens == 0) == (max_draft == 0)


def test_the_callers_mask_stays_as_it_was() -> None:
    prompts = padded_prompts(3, seed=5)
    call: dict[str, Any] = {"eos_token_id": [3, 5], "custom_generate": Speculator()}
    mask = prompts["attention_mask"].bool()
    before = mask.clone()
    for limit in (3, 30):
        tiny("llama").generate(prompts["input_ids"], attention_mask=mask, max_new_tokens=limit, **call)
        assert torch.equal(before, mask)
