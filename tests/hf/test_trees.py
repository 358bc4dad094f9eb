"""Drafts that branch do not change the text, in rows of every kind; and branches are accepted at every depth."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LogitsProcessor

from ngramspec import FixedBudget, Guard, ModelEngine, Speculator
from ngramspec.decoding import Costs, Row, Shape
from ngramspec.decoding.budget import Terms
from ngramspec.decoding.steering import legal_part
from ngramspec.decoding.way import Way
from ngramspec.drafting import NO_DRAFT, AdaptiveLookup, AdaptiveLookupSession, Draft, Likely, TokenArray, Tree
from ngramspec.hf.seam import CACHE, DynamicCache
from ngramspec.hf.types import Model
from ngramspec.testing import AdversarialDrafter, OracleDrafter
from ngramspec.testing.adversary import Slip
from ngramspec.testing.drafters import OracleSession, first_branch
from tests.families.build import build, drawn
from tests.families.catalogue import family
from tests.hf.choice.test_guards import BACKENDS, NUM_TOKENS, TOKENIZER, guard_of, writer
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.drafters import BranchingDrafter
from tests.hf.models import EOS, FAMILIES, PAD, VOCABULARY, padded_prompts, tiny
from tests.hf.seq2seq import sources, tiny_seq2seq
from tests.hf.target.test_aligned import aligned

pytestmark = pytest.mark.filterwarnings("ignore:what a prompt has after")

DEPTHS = range(4)
"""Of chains of four to six tokens."""


def model_of(name: str) -> Any:
    """A model that takes trees: a tiny one, or "gpt_oss", whose attention has sinks and windows."""
    if name in FAMILIES:
        return tiny(name)
    of = family(name)
    return drawn(build(of.config_class, of.model_class, settings=of.settings), seed=2)


def drafter_of(spec: Speculator) -> OracleDrafter:
    assert isinstance(spec.drafter, OracleDrafter)
    return spec.drafter


def assert_branches_at_every_depth(branches: Counter[int]) -> None:
    """Branches that are not the first, whose keys lie elsewhere than their tokens: else a chain would have done."""
    assert [*DEPTHS] == sorted({*DEPTHS} & {*branches})


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", [*FAMILIES, "gpt_oss"])
def test_a_text_drafted_with_trees_is_that_of_plain_decoding(name: str, batch: int, attention: str) -> None:
    if attention == "eager" and name not in FAMILIES:
        pytest.skip("one attention is enough")
    model = tiny(name, attention) if name in FAMILIES else model_of(name)
    branches: Counter[int] = Counter()
    for seed in range(4):
        prompts = padded_prompts(batch, seed=seed, side="right" if attention == "eager" else "left")
        call: dict[str, Any] = {**prompts, "max_new_tokens": 50, "eos_token_id": EOS if seed == 3 else None}
        plain = model.generate(**call)
        drafter = OracleDrafter(plain[:, 9:].tolist(), model.config.vocab_size, seed=seed, corrupted=0.9)
        spec = Speculator(drafter, FixedBudget(12))
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
        branches += drafter.branches
    assert_branches_at_every_depth(branches)


class Notes(LogitsProcessor):
    """A stranger: takes down the length of each text that it sees, and forbids the token before the last."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.lengths.append(input_ids.shape[1])
        return scores.scatter(1, input_ids[:, -2:-1], -float("inf"))


ARGUMENTS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "greedy, suppressed tokens": {"suppress_tokens": [3, 7]},
    "greedy, by the text": {"repetition_penalty": 1.3},
    "sampled": {"do_sample": True, "top_k": 6, "temperature": 1.5},
    "sampled, by the text": {"do_sample": True, "repetition_penalty": 1.3},
    "scores": {"do_sample": True, "return_dict_in_generate": False, "output_scores": True},
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_choices_draws_and_processors_are_those_of_plain_decoding(name: str, batch: int) -> None:
    """`compare` asserts the same text, and the same final state of the generator."""
    branches: Counter[int] = Counter()
    for seed in range(8):
        prompts = padded_prompts(batch, seed=seed)
        if "by the text" in name:  # with padding, the penalty would have rows go in step
            prompts = {"input_ids": torch.randint(2, VOCABULARY, (batch, 9))}
        arguments = limits(**{**ARGUMENTS[name], "max_new_tokens": 60})
        spec = compare(tiny("llama"), prompts, arguments.copy, seed=seed).spec
        branches += drafter_of(spec).branches
    assert_branches_at_every_depth(branches)


def test_an_unknown_processor_is_called_once_per_emitted_token_in_the_order_of_the_text() -> None:
    model, prompts, branches = tiny("llama"), padded_prompts(1), Counter[int]()
    for seed in range(4):
        noted: list[list[int]] = []
        drafter = None
        for _ in range(2):
            notes = Notes()
            spec: Speculator | None = None if drafter is None else Speculator(drafter, FixedBudget(12))
            output = model.generate(**prompts, max_new_tokens=50, logits_processor=[notes], custom_generate=spec)
            drafter = OracleDrafter.of_output(output, 9, VOCABULARY, seed=seed)
            noted.append(notes.lengths)
            branches += drafter.branches if spec is None else drafter_of(spec).branches
        assert [*range(9, 59)] == noted[0] == noted[1]
    assert_branches_at_every_depth(branches)


def test_a_batch_in_step_gets_chains() -> None:
    spec = compare(tiny("llama"), padded_prompts(3), lambda: limits(logits_processor=[Notes()])).spec
    assert_accepted_and_rolled_back(spec)
    assert 0 == drafter_of(spec).branches.total()


@pytest.mark.parametrize("batch", [1, 3])
def test_models_whose_rows_go_in_line_get_chains(batch: int) -> None:
    for model, prompts in ((aligned("bloom"), padded_prompts(batch)), (tiny_seq2seq("t5"), sources(batch))):
        spec = compare(model, prompts, limits).spec
        assert_accepted_and_rolled_back(spec)
        assert 0 == drafter_of(spec).branches.total()


def test_free_rows_branch_beside_guarded_ones() -> None:
    model = tiny("llama", vocabulary=NUM_TOKENS)
    guards = [None, Guard.regex("(ab|ba){3,9}c", TOKENIZER), None]
    prompts, branches = padded_prompts(3), Counter[int]()
    arguments: dict[str, Any] = {**prompts, "max_new_tokens": 40, "eos_token_id": EOS, "pad_token_id": PAD}
    plain = model.generate(**arguments, logits_processor=[Guard.per_row(guards).processor([EOS])])
    for seed in range(6):
        drafter = OracleDrafter.of_output(plain, 9, NUM_TOKENS, seed=seed)
        output = model.generate(
            **arguments,
            logits_processor=[Guard.per_row(guards)],
            custom_generate=Speculator(drafter, FixedBudget(12)),
        )
        assert plain.tolist() == output.tolist()
        branches += drafter.branches
    assert_branches_at_every_depth(branches)


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize(
    "arguments", [{}, {"do_sample": True}, {"suppress_tokens": [NUM_TOKENS - 2, NUM_TOKENS - 1]}], ids=str
)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", ["regex", "json", "between"])
def test_each_branch_that_is_walked_has_its_own_mask(kind: str, batch: int, arguments: dict[str, Any]) -> None:
    """Illegal branches stand beside legal ones: only masks hold them off."""
    branches: Counter[int] = Counter()
    guard, common = guard_of(kind), {"max_new_tokens": 45, "eos_token_id": EOS, **arguments}
    for seed in range(12):
        spec = compare(
            writer(),
            padded_prompts(batch, seed=seed),
            lambda: {**common, "logits_processor": [guard.processor([EOS])]},
            drafted=lambda: {**common, "logits_processor": [guard]},
            seed=seed,
        ).spec
        branches += drafter_of(spec).branches
    assert_branches_at_every_depth(branches)


class NoSteering(FixedBudget):
    """Drafts for all rows blindly: grammars cut what the drafter alone has drafted."""

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        return Terms([Way.BLIND] * len(rows), (0.0, 0.0, 0.0))


WIDE_REGEX = "([a-f]{1,2}[0-9]){2,20}"
WIDE = Guard.regex(WIDE_REGEX, TOKENIZER)
"""Allows so much that of random branches many are legal."""


@pytest.mark.parametrize("do_sample", [False, True])
def test_of_trees_that_are_drafted_blindly_no_illegal_branch_goes_out(*, do_sample: bool) -> None:
    branches: Counter[int] = Counter()
    arguments: dict[str, Any] = {"max_new_tokens": 50, "eos_token_id": EOS, "pad_token_id": PAD, "do_sample": do_sample}
    for seed in range(12):
        prompts = padded_prompts(1, seed=seed)
        torch.manual_seed(seed)
        plain = writer().generate(**prompts, **arguments, logits_processor=[WIDE.processor([EOS])])
        knowing = AdversarialDrafter(plain[:, 9:].tolist(), NUM_TOKENS, [Slip("right")])
        drafter = BranchingDrafter(knowing, NUM_TOKENS, seed)
        torch.manual_seed(seed)
        spec = Speculator(drafter, NoSteering(12))
        output = writer().generate(**prompts, **arguments, logits_processor=[WIDE], custom_generate=spec)
        assert plain.tolist() == output.tolist()
        branches += drafter.branches
        for draft in knowing.verified:
            matcher = WIDE.matcher([EOS])
            matcher.advance(knowing.emitted[0][: draft.position])
            assert len(draft.tokens) == legal_part(Draft(np.array(draft.tokens, np.int32)), [matcher]).tokens.size
    assert_branches_at_every_depth(branches)


class SteeredCheaply(FixedBudget):
    """Steers all rows, and asks for nodes that are hardly sure."""

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        return Terms([Way.STEERED] * len(rows), (0.005, 0.005, 0.005))


class Watched(AdaptiveLookup):
    """branches: as of `OracleDrafter`."""

    def __init__(self) -> None:
        super().__init__()
        self.branches: Counter[int] = Counter()

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        return WatchedSession(self, self._segments.open(segment), references)


class WatchedSession(AdaptiveLookupSession):
    _accepted: tuple[Draft, int] = Draft(NO_DRAFT), 0

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self._accepted = draft, num_accepted

    def extend(self, tokens: TokenArray) -> None:
        draft, num_accepted = self._accepted
        if isinstance(draft, Tree):
            accepted = tokens[:num_accepted].tolist()
            assert isinstance(self.drafter, Watched)
            self.drafter.branches.update(range(first_branch(draft, accepted), len(accepted)))
        self._accepted = Draft(NO_DRAFT), 0
        super().extend(tokens)


@pytest.mark.parametrize("do_sample", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["wide", "json", "between"])
def test_a_text_drafted_with_steered_trees_is_that_of_plain_decoding(kind: str, backend: Any, do_sample: bool) -> None:
    guard = Guard.regex(WIDE_REGEX, TOKENIZER, backend=backend) if kind == "wide" else guard_of(kind, backend)
    arguments: dict[str, Any] = {"max_new_tokens": 50, "eos_token_id": EOS, "pad_token_id": PAD, "do_sample": do_sample}
    drafter = Watched()
    for seed in range(6):
        prompts = padded_prompts(1, seed=seed)
        torch.manual_seed(seed)
        plain = writer().generate(**prompts, **arguments, logits_processor=[guard.processor([EOS])])
        torch.manual_seed(seed)
        spec = Speculator(drafter, SteeredCheaply(12))
        output = writer().generate(**prompts, **arguments, logits_processor=[guard], custom_generate=spec)
        assert plain.tolist() == output.tolist()
    assert drafter.branches.total() > 0


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_a_cache_that_is_handed_back_has_the_keys_of_plain_decoding(name: str) -> None:
    model, branches = tiny(name), Counter[int]()
    for seed in range(4):
        arguments: dict[str, Any] = {**padded_prompts(2, seed=seed), "max_new_tokens": 60}
        caches: list[Any] = [DynamicCache(config=model.config) for _ in range(2)]
        plain = model.generate(**arguments, **{CACHE: caches[0]})
        drafter = OracleDrafter(plain[:, 9:].tolist(), VOCABULARY, seed=seed, corrupted=0.9)
        spec = Speculator(drafter, FixedBudget(12))
        model.generate(**arguments, **{CACHE: caches[1]}, custom_generate=spec)
        branches += drafter.branches
        for expected, actual in zip(caches[0].layers, caches[1].layers, strict=True):
            torch.testing.assert_close(expected.keys, actual.keys)
            torch.testing.assert_close(expected.values, actual.values)
    assert_branches_at_every_depth(branches)


def _emitted_alone(model: Model, prompts: Sequence[list[int]], length: int) -> list[list[int]]:
    texts = [
        model.generate(ids := torch.tensor([prompt]), attention_mask=torch.ones(ids.shape), max_new_tokens=length)
        for prompt in prompts
    ]
    return [text[0, len(prompt) :].tolist() for text, prompt in zip(texts, prompts, strict=True)]


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_a_prompt_may_begin_with_an_answer_that_was_drafted_with_trees(name: str) -> None:
    """Its keys are those that were moved."""
    model = tiny(name)
    first = [[*range(2, 10), row] for row in range(2, 6)]
    answers = _emitted_alone(model, first, 50)
    prompts = [*first, *([*prompt, *answer, 5, 6] for prompt, answer in zip(first, answers, strict=True))]
    emitted = _emitted_alone(model, prompts, 50)
    drafter = OracleDrafter(emitted, VOCABULARY, corrupted=0.9)
    with ModelEngine(model, Speculator(drafter, FixedBudget(12)), max_rows=3) as engine:
        rows = [
            engine.add(ids := torch.tensor([prompt]), attention_mask=torch.ones(ids.shape), max_new_tokens=50)
            for prompt in prompts
        ]
        while not engine.is_idle:
            engine.step()
        assert 4 * 50 <= engine.num_shared_tokens
    assert emitted == [row.emitted for row in rows]
    assert_branches_at_every_depth(drafter.branches)


class Heeding(OracleDrafter):
    """likely: by row, for each pass whose choices were looked at, how many tokens came before and what was told."""

    def __init__(self, emitted: Sequence[Sequence[int]], vocabulary: int, *, seed: int = 0) -> None:
        super().__init__(emitted, vocabulary, seed=seed, corrupted=0.9)
        self.likely: list[list[tuple[int, Likely]]] = []

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> OracleSession:
        row = len(self.likely)
        self.likely.append([])
        return HeedingSession(self, self.emitted[row], np.random.default_rng((self.seed, row)), self.likely[-1])


class HeedingSession(OracleSession):
    def __init__(self, drafter: Heeding, emitted: list[int], rng: Any, told: list[tuple[int, Likely]]) -> None:
        super().__init__(drafter, emitted, rng)
        self._told = told

    def heed(self, likely: Likely) -> None:
        self._told.append((self._position, likely))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("is_guarded", [False, True])
def test_sessions_are_told_what_the_model_held_for_likely_as_plain_decoding_computes_it(
    batch: int, is_guarded: bool
) -> None:
    model, num_told = writer(), 0
    guard = Guard.regex(WIDE_REGEX, TOKENIZER)
    for seed in range(3):
        call: dict[str, Any] = {**padded_prompts(batch, seed=seed), "max_new_tokens": 40, "eos_token_id": EOS}
        call |= {"pad_token_id": PAD, "return_dict_in_generate": True}
        plain = model.generate(
            **call, output_logits=True, logits_processor=[guard.processor([EOS])] if is_guarded else []
        )
        expected = torch.stack(plain.logits, dim=1).softmax(-1).topk(4)
        drafter = Heeding(plain.sequences[:, 9:].tolist(), NUM_TOKENS, seed=seed)
        arguments = {"logits_processor": [guard]} if is_guarded else {}
        drafted = model.generate(**call, **arguments, custom_generate=Speculator(drafter, NoSteering(12)))
        assert plain.sequences.tolist() == drafted.sequences.tolist()
        for row, told in enumerate(drafter.likely):
            for start, likely in told:
                end = start + len(likely.tokens)
                assert expected.indices[row, start:end].tolist() == likely.tokens.tolist()
                np.testing.assert_allclose(expected.values[row, start:end].numpy(), likely.chances, rtol=1e-4)
                num_told += end - start
    assert num_told > 20
