"""Whatever joins and leaves beside it, a request's text is that of `generate()` for its prompt alone and its seed."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from torch import Tensor
from transformers.generation.streamers import BaseStreamer

from ngramspec import AdaptiveLookup, FixedBudget, Guard, GuardError, ModelEngine, PromptError, RefusedError, Speculator
from ngramspec.decoding import Plan, Reading, Row
from ngramspec.drafting import NoDrafts, NoDraftsSession
from ngramspec.hf.engine.answer import Answer
from ngramspec.hf.target.cache_layer import CHUNK
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.hf.target.state_pool import StatePool
from tests.hf.choice.test_guards import NUM_TOKENS, TOKENIZER, guard_of
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.drafters import BranchingDrafter
from tests.hf.hybrids import HYBRIDS, hybrid, with_blocks
from tests.hf.models import EOS, PAD, tiny
from tests.hf.target.test_aligned import aligned
from tests.hf.target.test_state_pool import OF_MACHINE

BYTES_PER_LINE = 512 * CHUNK
"""Of the tiny llama in float64: two layers of keys and values, two heads of eight numbers."""

HEADS = [[(3 * step + head) % 9 + 2 for step in range(40)] for head in range(2)]
"""How prompts begin: system prompts, which are shared."""

FAMILIES = ("llama", "gemma3", "mixtral", "bloom")


@functools.cache
def model_of(family: str) -> Any:
    """The last one is of those whose rows go in line."""
    if family in HYBRIDS:
        return hybrid(family, NUM_TOKENS)
    return aligned("bloom") if family == "bloom" else tiny(family, vocabulary=NUM_TOKENS)


@functools.cache
def bytes_per_line(family: str) -> int:
    if family in HYBRIDS:
        return StatePool(model_of(family), torch.device("cpu"), 1 << 30)._bound.bytes_of(CHUNK)
    return BYTES_PER_LINE


def shy(input_ids: Tensor, scores: Tensor) -> Tensor:
    """An unknown processor: never the token before the last again."""
    return scores.scatter(1, input_ids[:, -2:-1], -float("inf")) if input_ids.shape[1] > 1 else scores


@dataclass(frozen=True)
class Asked:
    """A request, as it is drawn."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    seed: int | None
    guard: str | None
    is_shy: bool
    salt: str | None
    segment: str | None
    owner: str | None = None

    def arguments(self, *, is_plain: bool) -> dict[str, Any]:
        """Those of `generate()`."""
        guards: list[Any] = [] if self.guard is None else [guard_of(self.guard)]
        processors = [guard.processor([EOS]) if is_plain else guard for guard in guards] + [shy] * self.is_shy
        sampling = {} if self.seed is None else {"do_sample": True, "top_k": 5, "temperature": 1.3}
        ends = {"eos_token_id": EOS, "pad_token_id": PAD, "max_new_tokens": self.max_new_tokens}
        return {**sampling, **ends, "logits_processor": processors}


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    head = draw(st.sampled_from(HEADS))[: draw(st.integers(0, 40))]
    tail = draw(st.lists(st.integers(2, 11), min_size=1, max_size=20))
    guard = draw(st.sampled_from([None, None, "regex", "json"]))
    return Asked(
        prompt=(*head, *tail),
        max_new_tokens=draw(st.integers(1, 24)),
        seed=draw(st.none() | st.integers(0, 99)),
        guard=guard,
        is_shy=draw(st.booleans()) and guard is None,
        salt=draw(st.sampled_from([None, None, "a", "b"])),
        segment=draw(st.sampled_from([None, "s"])),
        owner=draw(st.sampled_from([None, None, "o", "p"])),
    )


@functools.lru_cache(maxsize=10_000)
def plain(family: str, asked: Asked) -> list[int] | str:
    """What `generate()` emits for the prompt alone, or the guard's complaint."""
    if asked.seed is not None:
        torch.manual_seed(asked.seed)
    ids = torch.tensor([asked.prompt])
    try:
        output = model_of(family).generate(ids, **asked.arguments(is_plain=True))
    except GuardError:
        return "a guard's complaint"
    emitted: list[int] = output[0, ids.shape[1] :].tolist()
    return emitted


class Machine(RuleBasedStateMachine):
    """Requests are added and removed at any time between steps."""

    answers = Bundle("answers")
    families: ClassVar[tuple[str, ...]] = FAMILIES

    @initialize(number=st.integers(0, 11), rows=st.integers(1, 4), lines=st.integers(1, 6), chunk=st.integers(1, 30))
    def start(self, number: int, rows: int, lines: int, chunk: int) -> None:
        self.family = family = self.families[number % len(self.families)]
        self.asked: dict[Answer, Asked] = {}
        self.removed: list[Answer] = []
        self.ended: list[Answer] = []
        self.engine = ModelEngine(
            model_of(family),
            Speculator(BranchingDrafter(AdaptiveLookup(), NUM_TOKENS), FixedBudget(7)),
            max_rows=rows,
            max_cache_bytes=2 * lines * bytes_per_line(family),  # a request may come to take more than one line's slots
            max_prompt_tokens=chunk,
        )

    @rule(target=answers, asked=requests())
    def add(self, asked: Asked) -> Answer:
        if self.family == "bloom":  # has a vocabulary of its own
            asked = Asked(**{**vars(asked), "guard": None})
        generate = asked.arguments(is_plain=False)
        ids = torch.tensor([asked.prompt])
        own: dict[str, Any] = {"cache_salt": asked.salt, "segment": asked.segment, "owner": asked.owner}
        answer = self.engine.add(ids, seed=asked.seed, **own, **generate)
        self.asked[answer] = asked
        return answer

    @rule(number=st.integers(1, 12))
    def step(self, number: int) -> None:
        for _ in range(number):
            self.ended += self.engine.step()

    @rule(answer=answers)
    def remove(self, answer: Answer) -> None:
        if not answer.ended:
            self.removed.append(answer)
        self.engine.remove(answer)

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        steps = 0
        while not self.engine.is_idle:
            self.ended += self.engine.step()
            steps += 1
            assert steps < 5_000, "requests are left, and do not move"
        assert len(self.ended) == len(set(self.ended)) == len(self.asked) - len(self.removed)
        for answer, asked in self.asked.items():
            expected = plain(self.family, asked)
            if answer.row.error is not None:
                assert expected == "a guard's complaint"
            elif answer in self.removed:
                assert answer.emitted == list(expected[: len(answer.emitted)])
            else:
                assert expected == answer.emitted
        self.engine.close()


def test_any_requests_that_come_and_go_have_the_texts_of_generate_alone() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=60, stateful_step_count=25))


@with_blocks
def test_any_requests_that_come_and_go_have_the_texts_of_generate_alone_where_the_model_keeps_running_states() -> None:
    class OfStates(Machine):
        families = OF_MACHINE

    run_state_machine_as_test(OfStates, settings=settings(max_examples=30, stateful_step_count=25))


@pytest.mark.parametrize("family", ["llama", "gemma3", "mixtral"])
def test_branches_are_accepted_at_every_depth_where_rows_come_and_go(family: str) -> None:
    model, drafter = model_of(family), BranchingDrafter(AdaptiveLookup(), NUM_TOKENS)
    prompts = [torch.tensor([[*HEADS[number % 2], 5, 6, *HEADS[number % 2][:number]]]) for number in range(8)]
    with ModelEngine(model, Speculator(drafter, FixedBudget(7)), max_rows=3, max_prompt_tokens=8) as engine:
        answers = [engine.add(ids, max_new_tokens=40, pad_token_id=PAD) for ids in prompts]
        drained(engine)
    assert {0, 1, 2} <= {*drafter.branches}
    assert_accepted_and_rolled_back(engine.spec.stats.total)
    for ids, answer in zip(prompts, answers, strict=True):
        assert model.generate(ids, max_new_tokens=40, pad_token_id=PAD).tolist() == answer.result().tolist()


def drained(engine: ModelEngine) -> None:
    while not engine.is_idle:
        engine.step()


def test_drafts_are_accepted_and_rolled_back_and_beginnings_are_shared() -> None:
    with ModelEngine(model_of("llama"), Speculator(budget=FixedBudget(5)), max_rows=2) as engine:
        prompts = [[*HEADS[0], 5, 6, *HEADS[0][:number]] for number in range(6)]
        answers = [engine.add(torch.tensor([prompt]), max_new_tokens=30, pad_token_id=PAD) for prompt in prompts]
        drained(engine)
    total = engine.spec.stats.total
    assert_accepted_and_rolled_back(total)
    assert 5 * len(HEADS[0]) <= engine.num_shared_tokens
    for prompt, answer in zip(prompts, answers, strict=True):
        alone = model_of("llama").generate(torch.tensor([prompt]), max_new_tokens=30, pad_token_id=PAD)
        assert alone.tolist() == answer.result().tolist()


def test_nothing_is_shared_across_salts() -> None:
    with ModelEngine(model_of("llama")) as engine:
        for salt in ("a", "b", None):
            engine.add(torch.tensor([HEADS[0]]), max_new_tokens=2, pad_token_id=PAD, cache_salt=salt)
        drained(engine)
        assert 0 == engine.num_shared_tokens
        engine.add(torch.tensor([HEADS[0]]), max_new_tokens=2, pad_token_id=PAD, cache_salt="b")
        drained(engine)
        assert len(HEADS[0]) - 1 == engine.num_shared_tokens


def test_a_long_prompt_does_not_stall_the_others() -> None:
    with ModelEngine(model_of("llama"), max_prompt_tokens=8) as engine:
        short = engine.add(torch.tensor([[3, 4, 5]]), max_new_tokens=40, pad_token_id=PAD, speculate=False)
        engine.step()
        long = engine.add(torch.tensor([HEADS[0] * 4]), max_new_tokens=2, pad_token_id=PAD)
        before = len(short.emitted)
        for _ in range(15):
            engine.step()
        assert 0 == len(long.emitted)
        assert 15 == len(short.emitted) - before
        drained(engine)
        assert 2 == len(long.emitted)


def test_several_prompts_are_read_between_two_passes_of_rows_that_emit_several_tokens() -> None:
    model = model_of("llama")
    prompts = [torch.tensor([[3 + number, 4, 5]]) for number in range(5)]
    texts = [model.generate(ids, max_new_tokens=40, pad_token_id=PAD)[0, 3:].tolist() for ids in prompts]
    with ModelEngine(model, Speculator(budget=FixedBudget(7)), max_prompt_tokens=8) as engine:
        first = engine.add(prompts[0], max_new_tokens=40, pad_token_id=PAD, references=[texts[0]])
        while len(first.emitted) < 10:
            engine.step()
        others = [engine.add(ids, max_new_tokens=40, pad_token_id=PAD) for ids in prompts[1:]]
        engine.step()
        assert sum(len(each.emitted) > 0 for each in others) > 1
        drained(engine)
    assert texts == [answer.emitted for answer in (first, *others)]


def test_cache_stays_within_its_bytes() -> None:
    most = 3 * BYTES_PER_LINE
    with ModelEngine(model_of("llama"), max_rows=8, max_cache_bytes=most) as engine:
        for number in range(8):
            engine.add(torch.tensor([[2 + number, 3, 4]]), max_new_tokens=20 + 60 * (number % 2), pad_token_id=PAD)
        while not engine.is_idle:
            engine.step()
            assert engine._pool is not None
            assert sum(states.nbytes for states in engine._pool._cache._states()) <= most
        with pytest.raises(PromptError, match="a request must fit into max_cache_bytes"):
            engine.add(torch.tensor([[3]]), max_new_tokens=3 * CHUNK + 1, pad_token_id=PAD)
        assert engine.is_idle


def test_what_an_engine_cannot_do_is_refused_and_nothing_is_added() -> None:
    with ModelEngine(model_of("llama")) as engine:
        two = torch.tensor([[3, 4], [5, 6]])
        with pytest.raises(RefusedError, match="one by one, got 2 rows"):
            engine.add(two, max_new_tokens=2, pad_token_id=PAD)
        with pytest.raises(RefusedError, match="num_beams"):
            engine.add(two[:1], max_new_tokens=2, num_beams=2, pad_token_id=PAD)
        with pytest.raises(PromptError, match="no padding"):
            engine.add(two[:1], attention_mask=torch.tensor([[0, 1]]), max_new_tokens=2, pad_token_id=PAD)
        with pytest.raises(RefusedError, match="counts positions from 0"):
            engine.add(two[:1], position_ids=torch.tensor([[0, 3]]), max_new_tokens=2, pad_token_id=PAD)
        with pytest.raises(ValueError, match=r"seed must be a whole number from 0 to 2\*\*64 - 1, got 1.5"):
            engine.add(two[:1], seed=1.5, max_new_tokens=2, pad_token_id=PAD)  # type: ignore[arg-type]
        with pytest.raises(RefusedError, match="keeps no cache"):
            engine.add(two[:1], return_dict_in_generate=True, max_new_tokens=2, pad_token_id=PAD)
        assert engine.is_idle
    with pytest.raises(RefusedError, match="no request after close"):
        engine.add(two[:1], max_new_tokens=2, pad_token_id=PAD)
    with pytest.raises(ValueError, match=r"max_rows must be a whole number >= 1, got 0"):
        ModelEngine(model_of("llama"), max_rows=0)
    with pytest.raises(ValueError, match=r"max_prompt_tokens must be a whole number >= 1, got -3"):
        ModelEngine(model_of("llama"), max_prompt_tokens=-3)


def test_a_model_with_hooks_is_refused_for_they_may_go_by_the_row() -> None:
    model = copy.deepcopy(model_of("llama"))
    model.model.norm.register_forward_hook(lambda module, arguments, output: output)
    with ModelEngine(model) as engine, pytest.raises(RefusedError, match="may depend on the row index"):
        engine.add(torch.tensor([[3, 4]]), max_new_tokens=2, pad_token_id=PAD)


def test_a_row_whose_guard_fails_ends_alone() -> None:
    stuck = Guard.regex("(ab)+c", TOKENIZER)
    with ModelEngine(model_of("llama")) as engine:

        def never(input_ids: Tensor, scores: Tensor) -> Tensor:
            return torch.full_like(scores, -float("inf"))

        ids = torch.tensor([[3, 4, 5]])
        common: dict[str, Any] = {"max_new_tokens": 8, "pad_token_id": PAD, "eos_token_id": EOS}
        failing = engine.add(ids, logits_processor=[stuck, never], **common)
        fine = engine.add(ids, logits_processor=[stuck], **common)
        drained(engine)
        with pytest.raises(GuardError, match="got none after function"):
            failing.result()
        alone = model_of("llama").generate(ids, logits_processor=[stuck.processor([EOS])], **common)
        assert alone.tolist() == fine.result().tolist()


def test_streams_get_what_they_get_alone_and_end() -> None:
    class Notes(BaseStreamer):
        def __init__(self) -> None:
            self.heard: list[Any] = []

        def put(self, value: Tensor) -> None:
            self.heard.append(value.tolist())

        def end(self) -> None:
            self.heard.append("end")

    ids = torch.tensor([[3, 4, 5]])
    common: dict[str, Any] = {"max_new_tokens": 8, "pad_token_id": PAD}
    alone, beside, removed = Notes(), Notes(), Notes()
    model_of("llama").generate(ids, streamer=alone, **common)
    with ModelEngine(model_of("llama")) as engine:
        engine.add(ids, streamer=beside, **common)
        gone = engine.add(ids, streamer=removed, **common)
        engine.step()
        engine.remove(gone)
        drained(engine)
    assert alone.heard == beside.heard
    assert "end" == removed.heard[-1]


def test_a_beginning_that_is_no_number_is_not_shared_and_does_not_reach_the_next_row() -> None:
    model = copy.deepcopy(model_of("llama"))
    with torch.no_grad():
        model.model.embed_tokens.weight[11] = float("inf")
    head = HEADS[0][:20]
    fine = [torch.tensor([[*head, 9, 5]]), torch.tensor([[3, 4]])]
    with ModelEngine(model, max_rows=1) as engine:
        broken = engine.add(torch.tensor([[*head, 11, 5]]), max_new_tokens=4, pad_token_id=PAD)
        answers = [engine.add(ids, max_new_tokens=12, pad_token_id=PAD) for ids in fine]
        drained(engine)
    assert broken.ended
    for ids, answer in zip(fine, answers, strict=True):
        assert model.generate(ids, max_new_tokens=12, pad_token_id=PAD).tolist() == answer.result().tolist()


def test_a_drafter_that_raises_ends_its_request_alone() -> None:
    class Raising(NoDrafts):
        def open(self, segment: str | None = None, references: Any = ()) -> Any:
            session = NoDrafts().open()
            return RaisingSession() if segment == "broken" else session

    class RaisingSession(NoDraftsSession):
        def extend(self, tokens: Any) -> None:
            if tokens.size == 1:
                raise ZeroDivisionError("mine")

    ids, common = torch.tensor([[3, 4, 5]]), {"max_new_tokens": 8, "pad_token_id": PAD}
    with ModelEngine(model_of("llama"), Speculator(Raising())) as engine:
        broken = engine.add(ids, segment="broken", **common)  # type: ignore[arg-type]
        fine = engine.add(ids, **common)  # type: ignore[arg-type]
        drained(engine)
        with pytest.raises(ZeroDivisionError, match="mine"):
            broken.result()
    assert model_of("llama").generate(ids, **common).tolist() == fine.result().tolist()


def test_a_history_is_drafted_from_by_its_name_within_its_salt_and_counted_by_none() -> None:
    spec, ids, common = Speculator(), torch.tensor([[3, 4, 5]]), {"max_new_tokens": 8, "pad_token_id": PAD}
    with ModelEngine(model_of("llama"), spec) as engine:
        for salt in ("a", "b", "a"):
            engine.add(ids, history="of this prompt", segment=None, cache_salt=salt, **common)  # type: ignore[arg-type]
        engine.add(ids, history="of this prompt", segment="counted", **common)  # type: ignore[arg-type]
        drained(engine)
    assert isinstance(spec.drafter, AdaptiveLookup)
    assert [8, 8, 16] == sorted(spec.drafter.segments.values())
    assert all(name.endswith("of this prompt") for name in spec.drafter.segments)
    assert ["counted"] == list(spec.stats.segments)


def test_an_engine_may_be_stepped_within_and_without_inference_mode() -> None:
    ids, common = torch.tensor([[3, 4, 5]]), {"max_new_tokens": 8, "pad_token_id": PAD}
    with ModelEngine(model_of("llama")) as engine:
        with torch.inference_mode():
            answer = engine.add(ids, **common)  # type: ignore[arg-type]
            engine.step()
        drained(engine)
    assert model_of("llama").generate(ids, **common).tolist() == answer.result().tolist()


def test_what_a_request_brings_may_raise_and_ends_that_request_alone() -> None:
    def raising(input_ids: Tensor, scores: Tensor, **more: Any) -> Any:
        if input_ids.shape[1] > 5:
            raise ZeroDivisionError("mine")
        return scores if scores is not None else False

    class Deaf(BaseStreamer):
        def put(self, value: Tensor) -> None:
            if value.dim() == 1:
                raise ZeroDivisionError("mine")

        def end(self) -> None:
            raise ZeroDivisionError("mine")

    ids = torch.tensor([[3, 4, 5]])
    common: dict[str, Any] = {"max_new_tokens": 8, "pad_token_id": PAD}
    with ModelEngine(model_of("llama")) as engine:
        broken = [
            engine.add(ids, logits_processor=[raising], **common),
            engine.add(ids, stopping_criteria=[raising], **common),
            engine.add(ids, streamer=Deaf(), **common),
        ]
        fine = engine.add(ids, **common)
        drained(engine)
    for answer in broken:
        assert answer.ended
        with pytest.raises(ZeroDivisionError, match="mine"):
            answer.result()
    alone = model_of("llama").generate(ids, **common)
    assert alone.tolist() == fine.result().tolist()


def test_while_there_is_no_room_one_request_does_not_wait_for_all_of_another_owner() -> None:
    ids = torch.tensor([[3, 4, 5]])
    common: dict[str, Any] = {"max_new_tokens": 3, "pad_token_id": PAD}
    with ModelEngine(model_of("llama"), max_rows=1) as engine:
        samples = [engine.add(ids, owner="samples", **common) for _ in range(3)]
        others = [engine.add(ids, **common) for _ in range(2)]
        ended = []
        while not engine.is_idle:
            ended += engine.step()
    assert [samples[0], others[0], samples[1], samples[2], others[1]] == ended


POISON = 11
"""A token of a prompt that no pass may read."""


@pytest.mark.parametrize("is_long", [False, True])
def test_a_pass_that_fails_says_whose_it_was_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, is_long: bool
) -> None:
    read, ahead = RaggedTarget.read, RaggedTarget.read_ahead

    def reads(self: RaggedTarget, plans: Sequence[Plan]) -> Reading:
        if any(POISON in plan.row.pending for plan in plans):
            raise RuntimeError("the pass has failed")
        return read(self, plans)

    def reads_ahead(self: RaggedTarget, row: Row, num_tokens: int) -> int:
        if POISON in row.pending:
            raise RuntimeError("the pass has failed")
        return ahead(self, row, num_tokens)

    monkeypatch.setattr(RaggedTarget, "read", reads)
    monkeypatch.setattr(RaggedTarget, "read_ahead", reads_ahead)
    common: dict[str, Any] = {"max_new_tokens": 12, "pad_token_id": PAD}
    prompts = [torch.tensor([[3, 4, 5 + number]]) for number in range(3)]
    with ModelEngine(model_of("llama"), max_rows=3, max_prompt_tokens=4) as engine:
        running = [engine.add(prompt, **common) for prompt in prompts[:2]]
        engine.step()
        poisoned = engine.add(torch.tensor([[POISON] * (9 if is_long else 2)]), **common)
        waiting = engine.add(prompts[2], **common)
        failing = []
        while not engine.is_idle:
            try:
                engine.step()
            except RuntimeError:
                failing.append(engine.failing)
                for answer in engine.failing:
                    engine.remove(answer)
        engine.check_device()
    assert [[poisoned]] == failing
    alone = [model_of("llama").generate(prompt, **common).tolist() for prompt in prompts]
    assert alone == [answer.result().tolist() for answer in [*running, waiting]]


def test_a_request_without_a_seed_draws_one_from_the_default_generator() -> None:
    ids = torch.tensor([[3, 4, 5]])

    def sampled() -> list[int]:
        torch.manual_seed(7)
        with ModelEngine(model_of("llama")) as engine:
            answer = engine.add(ids, do_sample=True, max_new_tokens=12, pad_token_id=PAD)
            drained(engine)
        return answer.emitted

    assert sampled() == sampled()
