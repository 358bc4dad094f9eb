"""Models with a running state: rejected tokens are undone in the state, and accepted ones are read again."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec import FixedBudget, Guard, NgramspecWarning, Speculator
from ngramspec.decoding import Plan, Reading
from ngramspec.decoding.reading_again import MOST_KNOWN
from ngramspec.hf.facts.strangers import strangers_in
from ngramspec.hf.seam import CACHE, DynamicCache, text_config
from ngramspec.hf.target.replaying import ReplayingTarget
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_a_processor_sees_the_same, assert_accepted_and_rolled_back, compare, limits
from tests.hf.drafters import NoDrafter, PatternDrafter, RandomDrafter
from tests.hf.hybrids import ALONE, HYBRIDS, hybrid, with_blocks
from tests.hf.models import EOS, PAD, padded_prompts
from tests.hf.tokenizers import character_tokenizer

pytestmark = with_blocks

VOCABULARY = 32


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", HYBRIDS)
def test_a_model_with_a_running_state_writes_the_text_of_plain_decoding(name: str, batch: int) -> None:
    """Rows are padded on the left, and end at different positions."""
    model, prompts, counters = hybrid(name), padded_prompts(batch, seed=2, vocabulary=VOCABULARY), Counters()
    for arguments in (limits(), limits(repetition_penalty=1.3), limits(do_sample=True)):
        counters.add(compare(model, prompts, arguments.copy).spec.stats.total)
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("name", ["qwen3_next", "falcon_h1", "lara_mini", "mamba2", "xlstm", "rwkv"])
def test_whatever_is_drafted_the_text_stays(name: str) -> None:
    model, counters = hybrid(name), Counters()

    @given(
        batch=st.integers(1, 1 if name in ALONE else 4),
        length=st.integers(2, 12),
        side=st.sampled_from(["left", "right"]),
        seed=st.integers(0, 2**16),
        max_draft=st.integers(1, 40),
        kind=st.sampled_from(["oracle", "oracle", "random", "adversarial"]),
        ends=st.sampled_from([[], [EOS], [2, 3, 7]]),
    )
    @settings(max_examples=12)
    def check(batch: int, length: int, side: str, seed: int, max_draft: int, kind: str, ends: list[int]) -> None:
        call: dict[str, Any] = {
            **padded_prompts(batch, length, seed=seed, side=side, vocabulary=VOCABULARY),
            "max_new_tokens": 30,
            "eos_token_id": ends or None,
        }
        plain = model.generate(**call)
        drafter: Any = OracleDrafter.of_output(plain, length, VOCABULARY, seed=seed)
        if kind == "random":
            drafter = RandomDrafter(VOCABULARY, seed)
        if kind == "adversarial":
            drafter = PatternDrafter(VOCABULARY, EOS, PAD)
        spec = Speculator(drafter, FixedBudget(max_draft))
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("name", ["lfm2", "mamba2", "xlstm"])
@pytest.mark.parametrize(("batch", "do_sample"), [(1, False), (1, True), (3, False), (3, True)])
def test_guards_hold_while_states_are_put_back(name: str, batch: int, do_sample: bool) -> None:
    tokenizer = character_tokenizer('{}":,abcdeflnorstu0123456789xy')
    model = hybrid(name, len(tokenizer))
    guard = Guard.regex("(ab|cd|[0-9]{2}){3,}", tokenizer)
    arguments = {"max_new_tokens": 30, "eos_token_id": EOS, "do_sample": do_sample}
    prompts = padded_prompts(batch, vocabulary=len(tokenizer))
    compared = compare(
        model,
        prompts,
        lambda: {**arguments, "logits_processor": [guard.processor(EOS)]},
        drafted=lambda: {**arguments, "logits_processor": [guard]},
    )
    assert_accepted_and_rolled_back(compared.spec)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_processor_that_nobody_knows_sees_what_it_sees_in_plain_decoding(batch: int) -> None:
    assert_a_processor_sees_the_same(hybrid("qwen3_next"), padded_prompts(batch, vocabulary=VOCABULARY))


class AlmostRight:
    """Drafts the right text but for the last token of each draft: every draft is rejected after `right` tokens."""

    def __init__(self, emitted: Sequence[int], right: int) -> None:
        self.emitted, self.right = list(emitted), right
        self.position, self.is_prompt = 0, True

    def open(self, segment: str | None = None, references: Sequence[Any] = ()) -> Any:
        return self

    def extend(self, tokens: Any) -> None:
        self.position, self.is_prompt = (0 if self.is_prompt else self.position + tokens.size), False

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Any:
        from ngramspec.drafting import Draft

        known = self.emitted[self.position : self.position + self.right + 1]
        if len(known) > self.right:
            known[-1] = (known[-1] + 1) % VOCABULARY
        return Draft(np.array(known[:max_tokens], np.int32))

    def observe(self, draft: Any, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """For each pass, the tokens that its first row has pending, and the columns that were read."""
    noted: list[tuple[int, int]] = []
    read = ReplayingTarget.read

    def noting(target: ReplayingTarget, plans: Sequence[Plan]) -> Reading:
        known = len(plans[0].row.pending)
        reading = read(target, plans)
        noted.append((known, reading.shape.columns))
        return reading

    monkeypatch.setattr(ReplayingTarget, "read", noting)
    return noted


def test_a_rejection_costs_columns_and_no_pass(readings: list[tuple[int, int]]) -> None:
    """Two tokens of each draft are accepted: each pass emits three, and reads again what those before it have read."""
    model, call = hybrid("qwen3_next"), {**padded_prompts(1, vocabulary=VOCABULARY), "max_new_tokens": 28}
    plain = model.generate(**call)
    spec = Speculator(AlmostRight(plain[0, 9:].tolist(), right=2), FixedBudget(3))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert [(9, 9), *((1 + 3 * number, 4 + 3 * number) for number in range(8)), (25, 27)] == readings
    assert spec.stats.total.target_passes == 1 + 27 // 3


class AtFirst:
    """Drafts like `drafter` in a row's first passes, and nothing later."""

    def __init__(self, drafter: Any, num_passes: int) -> None:
        self.drafter, self.num_passes = drafter, num_passes

    def open(self, segment: str | None = None, references: Sequence[Any] = ()) -> Any:
        session, asked = self.drafter.open(segment, references), iter(range(self.num_passes))
        propose = session.propose
        session.propose = lambda most, least=0.0: propose(most if next(asked, None) is not None else 0, least)
        return session


def test_rows_that_have_drifted_apart_merge_where_nothing_is_drafted(readings: list[tuple[int, int]]) -> None:
    model, call = hybrid("qwen3_next"), {**padded_prompts(4, vocabulary=VOCABULARY), "max_new_tokens": 60}
    plain = model.generate(**call)
    spec = Speculator(AtFirst(OracleDrafter.of_output(plain, 9, VOCABULARY), num_passes=6), FixedBudget(5))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)
    columns = [read for _, read in readings]
    assert max(columns[1:7]) > 5
    assert {1} == set(columns[20:])


def test_what_is_read_again_is_bounded_whatever_is_rejected(readings: list[tuple[int, int]]) -> None:
    model, call = hybrid("mamba2"), {**padded_prompts(1, vocabulary=VOCABULARY), "max_new_tokens": 200}
    plain = model.generate(**call)
    spec = Speculator(AlmostRight(plain[0, 9:].tolist(), right=1), FixedBudget(10))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)
    known = [pending for pending, _ in readings[1:]]
    assert MOST_KNOWN < max(known) <= MOST_KNOWN + 2
    assert known.count(1) > 5


@pytest.mark.parametrize("name", ["qwen3_next", "mamba2", "xlstm", "rwkv"])
def test_states_take_the_same_memory_after_any_text_and_are_copied_for_drafted_passes_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each pass its columns, and the bytes of the copy and of the states; and of the copy after it."""
    passes: list[tuple[int, int, int]] = []
    left: list[int] = []
    forward, keep = ReplayingTarget._forward, ReplayingTarget.keep

    def noting(target: ReplayingTarget, rows: Any, tokens: Any, num_logits: int) -> Any:
        passes.append((max(map(len, tokens)), target.held_bytes, target.state_bytes))
        return forward(target, rows, tokens, num_logits)

    def noting_after(target: ReplayingTarget, rows: Any) -> Any:
        kept = keep(target, rows)
        left.append(target.held_bytes)
        return kept

    monkeypatch.setattr(ReplayingTarget, "_forward", noting)
    monkeypatch.setattr(ReplayingTarget, "keep", noting_after)
    model, sizes = hybrid(name), set()
    for length in (3, 60):
        passes.clear()
        drafter = AtFirst(RandomDrafter(VOCABULARY), num_passes=5)
        prompts = padded_prompts(1, length, vocabulary=VOCABULARY)
        model.generate(**prompts, max_new_tokens=9, custom_generate=Speculator(drafter, FixedBudget(4)))
        (columns, copied, _), *later = passes
        assert (length, 0) == (columns, copied)
        sizes |= {states for _, _, states in later}
        assert {0, *sizes} == {copied for _, copied, _ in later}
    assert 1 == len(sizes)
    assert {0} == set(left)


def test_a_cache_that_is_passed_in_is_continued_by_plain_decoding_with_one_warning() -> None:
    model, prompts = hybrid("qwen3_next"), padded_prompts(1, 12, vocabulary=VOCABULARY)
    spec = Speculator(RandomDrafter(VOCABULARY), FixedBudget(4))
    texts = []
    for more in ({}, {"custom_generate": spec}):
        cache: Any = DynamicCache(config=text_config(model))
        first = model.generate(**prompts, max_new_tokens=8, **{CACHE: cache})
        if more:
            with pytest.warns(NgramspecWarning, match="keeps a running state, and a cache that is passed in"):
                texts.append(model.generate(first, max_new_tokens=8, **{CACHE: cache}, **more).tolist())
        else:
            texts.append(model.generate(first, max_new_tokens=8, **{CACHE: cache}).tolist())
    assert texts[0] == texts[1]
    assert spec.stats.total.num_draft_tokens == 0


@pytest.mark.parametrize("name", ALONE)
def test_a_model_whose_rows_depend_on_each_other_is_drafted_for_alone(name: str) -> None:
    model, counters = hybrid(name), Counters()
    for arguments in (limits(), limits(repetition_penalty=1.3), limits(do_sample=True)):
        prompts = padded_prompts(1, seed=2, vocabulary=VOCABULARY)
        counters.add(compare(model, prompts, arguments.copy).spec.stats.total)
    assert_accepted_and_rolled_back(counters)
    call = {**padded_prompts(3, vocabulary=VOCABULARY), "max_new_tokens": 12}
    plain, spec = model.generate(**call), Speculator(RandomDrafter(VOCABULARY), FixedBudget(4))
    with pytest.warns(NgramspecWarning, match=f"of several rows, and {ALONE[name]}"):
        text = model.generate(**call, custom_generate=spec)
    assert plain.tolist() == text.tolist()
    assert spec.stats.total.num_draft_tokens == 0


def test_rwkv_is_drafted_for_beyond_its_context_length() -> None:
    """It bounds a pass of one of its kernels; transformers also calls it `max_position_embeddings`."""
    model = hybrid("rwkv")
    length = model.config.context_length + 2
    call = {**padded_prompts(1, length, vocabulary=VOCABULARY), "max_new_tokens": 30}
    plain = model.generate(**call)
    spec = Speculator(OracleDrafter.of_output(plain, length, VOCABULARY), FixedBudget(5))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


def test_a_state_that_is_passed_in_is_continued_by_plain_decoding() -> None:
    model, ids = hybrid("rwkv"), padded_prompts(1, vocabulary=VOCABULARY)["input_ids"]
    spec, texts = Speculator(RandomDrafter(VOCABULARY), FixedBudget(4)), []
    for more in ({}, {"custom_generate": spec}):
        state = model(input_ids=ids, use_cache=True).state
        with pytest.warns(NgramspecWarning, match=r"more than ids and a mask \(state\)") if more else nullcontext():
            texts.append(model.generate(ids[:, :2], state=state, max_new_tokens=8, **more).tolist())
    assert texts[0] == texts[1]
    assert spec.stats.total.num_draft_tokens == 0


@pytest.mark.filterwarnings("ignore::ngramspec.NgramspecWarning")
def test_a_model_with_a_running_state_and_a_hook_is_decoded_plainly() -> None:
    model, call = hybrid("mamba2"), {**padded_prompts(1, vocabulary=VOCABULARY), "max_new_tokens": 20}
    handle = model.get_input_embeddings().register_forward_hook(lambda module, arguments, output: output * 1.5)
    try:
        assert strangers_in(model)
        plain = model.generate(**call)
        spec = Speculator(RandomDrafter(VOCABULARY), FixedBudget(4))
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
        assert spec.stats.total.num_draft_tokens == 0
    finally:
        handle.remove()


def test_rows_of_a_batch_keep_their_own_text_without_any_drafts() -> None:
    model, call = hybrid("bamba"), {**padded_prompts(3, vocabulary=VOCABULARY), "max_new_tokens": 20}
    spec = Speculator(NoDrafter(), FixedBudget(0))
    assert model.generate(**call).tolist() == model.generate(**call, custom_generate=spec).tolist()
