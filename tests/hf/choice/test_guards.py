"""Guards in `generate()`: the text of plain decoding under the same mask, whatever is drafted, and nothing unmasked."""

import functools
import json
import re
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLParserLimits
from torch import Tensor
from transformers import TextIteratorStreamer
from transformers.generation.logits_process import LogitsProcessor

import ngramspec
from ngramspec import FixedBudget, Guard, GuardError, NgramspecWarning, Speculator
from ngramspec.guards import Matcher, Vocabulary
from ngramspec.guards.backends import llguidance
from ngramspec.guards.types import BackendError, BitmaskArray
from ngramspec.stats import Counters
from tests.hf.choice.constraints import REGEX, SCHEMA
from tests.hf.comparing import Comparison, assert_accepted_and_rolled_back, compare, oracle
from tests.hf.drafters import PatternDrafter, RandomDrafter
from tests.hf.models import EOS, FAMILIES, PAD, padded_prompts, tiny
from tests.hf.seq2seq import SEQ2SEQ, sources, tiny_seq2seq
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer('{}":,abcdeflnorstu0123456789xy')
BACKENDS: tuple[Any, ...] = ("llguidance", "xgrammar")
KINDS = ("regex", "json", "after", "between")
NUM_TOKENS = len(TOKENIZER)

in_all_ways = pytest.mark.parametrize(
    ("batch", "do_sample"),
    [(1, False), (1, True), (3, False), (3, True)],
    ids=["alone-greedy", "alone-sampled", "batch-greedy", "batch-sampled"],
)


@functools.cache
def guard_of(kind: str, backend: Any = "llguidance") -> Guard:
    if kind == "regex":
        return Guard.regex(REGEX, TOKENIZER, backend=backend)
    if kind == "after":
        return guard_of("regex", backend).after("a")
    if kind == "between":
        return guard_of("regex", backend).between("a", "b")
    return Guard.json_schema(SCHEMA, TOKENIZER, backend=backend, whitespace="compact")


pytestmark = pytest.mark.filterwarnings("ignore:what a prompt has after")
"""Prompts are drawn at random, markers and all."""


def begun(prompt: str, kind: str) -> str:
    """What of a prompt belongs to the text: from its last marker on, if a guarded text can begin with the rest."""
    if kind not in ("after", "between") or "a" not in prompt:
        return ""
    rest = prompt.rpartition("a")[2]
    ends = [end + "ab" * pairs for end in ("", "b", "d", "1", "11") for pairs in range(6)]
    is_closed = kind == "between" and re.fullmatch(f"{REGEX}b[^a]*", rest) is not None
    return f"a{rest}" if is_closed or any(re.fullmatch(REGEX, rest + end) for end in ends) else ""


def is_valid(text: str, kind: str, prompt: str) -> bool:
    """Whether `text` is whole after `prompt`, by a look that no guard takes part in."""
    text = begun(prompt, kind) + text
    if kind == "regex":
        return re.fullmatch(REGEX, text) is not None
    if kind == "after":
        return re.fullmatch(f"[^a]*a{REGEX}", text) is not None
    if kind == "between":
        return re.fullmatch(f"([^a]*a{REGEX}b)*[^a]*", text) is not None
    return {"a", "b"} <= set(json.loads(text)) <= {"a", "b", "n"}


def guarded(model: Any, prompts: dict[str, Any], guard: Any, *others: LogitsProcessor, **more: Any) -> Comparison:
    """Plain decoding with the guard's processor beside speculation with the guard itself."""
    arguments = {"max_new_tokens": 45, "eos_token_id": EOS, **more}
    ends = arguments["eos_token_id"]
    return compare(
        model,
        prompts,
        lambda: {**arguments, "logits_processor": [*others, guard.processor(ends)]},
        drafted=lambda: {**arguments, "logits_processor": [*others, guard]},
    )


def prompts_of(comparison: Comparison) -> list[str]:
    prompts = comparison.speculative[:, : comparison.prompt_length]
    return list(TOKENIZER.batch_decode(prompts, skip_special_tokens=True))


def texts(comparison: Comparison) -> list[str]:
    emitted = comparison.speculative[:, comparison.prompt_length :]
    return list(TOKENIZER.batch_decode(emitted, skip_special_tokens=True))


@functools.cache
def writer(family: str = "llama") -> Any:
    return tiny(family, vocabulary=NUM_TOKENS)


@pytest.mark.parametrize("kind", KINDS)
@in_all_ways
def test_steered_drafts_leave_the_text_as_it_is(kind: str, batch: int, do_sample: bool) -> None:
    counters = Counters()
    for seed in range(12):  # what is wrong and yet legal is rare
        prompts = padded_prompts(batch, seed=seed, vocabulary=NUM_TOKENS)
        counters.add(guarded(writer(), prompts, guard_of(kind), do_sample=do_sample).spec.stats.total)
    assert_accepted_and_rolled_back(counters)


@pytest.mark.usefixtures("unsteered")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@in_all_ways
def test_guarded_text_equals_plain(family: str, backend: str, kind: str, batch: int, do_sample: bool) -> None:
    prompts = padded_prompts(batch, seed=2, vocabulary=NUM_TOKENS)
    comparison = guarded(writer(family), prompts, guard_of(kind, backend), do_sample=do_sample)
    assert_accepted_and_rolled_back(comparison.spec)
    emitted = comparison.speculative[:, comparison.prompt_length :].tolist()
    for row, text, prompt in zip(emitted, texts(comparison), prompts_of(comparison), strict=True):
        assert EOS not in row or is_valid(text, kind, prompt)


def test_any_guarded_text_equals_plain() -> None:
    counters = Counters()

    @given(
        prompt=st.lists(st.integers(2, NUM_TOKENS - 1), min_size=1, max_size=12),
        kind=st.sampled_from(KINDS),
        backend=st.sampled_from(BACKENDS),
        do_sample=st.booleans(),
        max_new_tokens=st.integers(1, 40),
        ends=st.sampled_from([EOS, [EOS, NUM_TOKENS - 1], [NUM_TOKENS - 2, EOS, NUM_TOKENS - 1]]),
    )
    @settings(deadline=None, max_examples=60)
    def check(prompt: list[int], kind: str, backend: str, do_sample: bool, max_new_tokens: int, ends: Any) -> None:
        prompts = {"input_ids": torch.tensor([prompt])}
        more = {"do_sample": do_sample, "max_new_tokens": max_new_tokens, "eos_token_id": ends}
        counters.add(guarded(writer(), prompts, guard_of(kind, backend), **more).spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("drafter", [RandomDrafter(NUM_TOKENS), PatternDrafter(NUM_TOKENS, EOS)], ids=type)
@pytest.mark.parametrize("is_steered", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@in_all_ways
def test_no_drafter_changes_the_text(
    drafter: Any, is_steered: bool, kind: str, batch: int, do_sample: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_steered:
        monkeypatch.setattr("ngramspec.hf.rows.row.ModelRow.matchers", lambda row: [])
    arguments = {"max_new_tokens": 30, "eos_token_id": EOS, "do_sample": do_sample}
    prompts = padded_prompts(batch, seed=3, vocabulary=NUM_TOKENS)
    model = writer()  # to make it takes random numbers
    found = []
    drafted = Speculator(drafter, FixedBudget(10))
    for spec in (drafted, Speculator(budget=FixedBudget(0))):
        torch.manual_seed(5)
        found.append(
            model.generate(**prompts, **arguments, logits_processor=[guard_of(kind)], custom_generate=spec).tolist()
        )
    assert found[0] == found[1]
    total = drafted.stats.total
    if is_steered and kind in ("regex", "json"):  # nothing is drafted that the grammar refuses
        assert 0 < total.num_accepted_tokens
    else:
        assert total.num_accepted_tokens < total.num_draft_tokens


@in_all_ways
@pytest.mark.parametrize("guards", [["json", None, "regex"], [None, "between", "after"], [None, None, "json"]])
def test_rows_of_a_batch_have_guards_of_their_own(guards: list[str | None], batch: int, do_sample: bool) -> None:
    chosen = guards[:batch] if batch == 3 else guards[-1:]
    guard = Guard.per_row([None if kind is None else guard_of(kind) for kind in chosen])
    prompts = padded_prompts(batch, seed=4, vocabulary=NUM_TOKENS)
    comparison = guarded(writer(), prompts, guard, do_sample=do_sample)
    # With a guard on every row, steering leaves little to roll back.
    assert 0 < comparison.spec.stats.total.num_accepted_tokens
    if None in chosen:
        assert_accepted_and_rolled_back(comparison.spec)
    free = compare(writer(), prompts, lambda: {"max_new_tokens": 45, "eos_token_id": EOS, "do_sample": do_sample})
    emitted = comparison.speculative[:, comparison.prompt_length :]
    for row, kind in enumerate(chosen):
        if kind is None:
            kept = [token for token in free.plain[row, comparison.prompt_length :].tolist() if token != PAD]
            assert kept == [token for token in emitted[row].tolist() if token != PAD]
        elif EOS in emitted[row].tolist():
            assert is_valid(texts(comparison)[row], kind, prompts_of(comparison)[row])


def test_each_sequence_returned_for_a_prompt_has_the_prompts_guard() -> None:
    guard = Guard.per_row([guard_of("regex"), guard_of("json")])
    prompts = padded_prompts(2, seed=4, vocabulary=NUM_TOKENS)
    comparison = guarded(writer(), prompts, guard, do_sample=True, num_return_sequences=3)
    found = texts(comparison)
    assert all(text[0] in "ac0" for text in found[:3])
    assert all(text[0] == "{" for text in found[3:])


def test_a_batch_that_has_no_guard_for_each_prompt_is_refused() -> None:
    guard = Guard.per_row([guard_of("regex"), guard_of("json")])
    prompts = padded_prompts(3, seed=4, vocabulary=NUM_TOKENS)
    with pytest.raises(GuardError, match="a batch needs a guard per prompt, got 2 guards for 3 rows"):
        writer().generate(**prompts, eos_token_id=EOS, logits_processor=[guard], custom_generate=Speculator())


def test_guards_for_fewer_prompts_than_there_are_serve_no_others() -> None:
    prompts = padded_prompts(4, seed=4, vocabulary=NUM_TOKENS)
    for guard in (Guard.per_row([guard_of("regex"), None]), Guard.per_row([guard_of("regex"), None]).processor(EOS)):
        with pytest.raises(GuardError, match="a batch needs a guard per prompt, got 2 guards for 4 rows"):
            writer().generate(**prompts, eos_token_id=EOS, logits_processor=[guard], custom_generate=Speculator())


def test_a_list_among_the_processors_is_named() -> None:
    prompts = padded_prompts(2, seed=4, vocabulary=NUM_TOKENS)
    with pytest.raises(TypeError, match=r"must hold processors and guards, got \[.*Guard.per_row"):
        writer().generate(
            **prompts, eos_token_id=EOS, logits_processor=[[guard_of("regex"), None]], custom_generate=Speculator()
        )


@pytest.mark.parametrize("num_drafted", [0, 10])
def test_a_row_whose_backend_cannot_follow_ends_alone_with_all_that_was_emitted(num_drafted: int) -> None:
    """The failure is real: llguidance's parser runs into a limit with a token that its mask had allowed."""
    vocabulary = Vocabulary.of(TOKENIZER)
    grammar = 'start: item*\nitem: "a" | "a" item | item item | "(" start ")"\n'
    compiled = llguidance.Compiled(LLMatcher.grammar_from_lark(grammar), vocabulary)
    limits = LLParserLimits(max_items_in_row=20)
    tokenizer = llguidance.tokenizer_of(vocabulary)
    compiled._make = functools.partial(
        LLMatcher, tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0, limits=limits
    )
    compiled._first = compiled._make()
    guards = Guard.per_row([None, Guard(compiled, "ambiguous")])
    prompts = padded_prompts(2, seed=4, vocabulary=NUM_TOKENS)
    settings = {"max_new_tokens": 30, "do_sample": False}
    free = writer().generate(**prompts, eos_token_id=EOS, **settings)
    with pytest.raises(GuardError, match="must say what is allowed next") as raised:
        writer().generate(
            **prompts,
            eos_token_id=EOS,
            **settings,
            logits_processor=[guards, Muzzle(0, TOKENIZER.convert_tokens_to_ids("a"), only_row=1)],
            custom_generate=Speculator(RandomDrafter(NUM_TOKENS), FixedBudget(num_drafted)),
        )
    error = raised.value
    assert 1 == error.row
    assert error.sequences is not None
    columns = min(free.shape[1], error.sequences.shape[1])
    assert free[0, :columns].tolist() == error.sequences[0, :columns].tolist()
    emitted = error.sequences[1, prompts["input_ids"].shape[1] :].tolist()
    assert emitted[: len(error.tokens)] == error.tokens
    assert "a" * len(error.tokens) == error.text
    assert set(emitted[len(error.tokens) :]) <= {PAD}


def test_a_free_row_of_which_nothing_is_left_is_as_in_plain_decoding() -> None:
    prompts = padded_prompts(2, seed=4, vocabulary=NUM_TOKENS)
    settings = {"max_new_tokens": 5, "eos_token_id": EOS, "do_sample": False}

    def texts_with(guards: Any, **more: Any) -> Any:
        return writer().generate(**prompts, **settings, logits_processor=[guards, Muzzle(0, None, only_row=1)], **more)

    guards = Guard.per_row([guard_of("regex"), None])
    assert texts_with(guards.processor(EOS)).tolist() == texts_with(guards, custom_generate=Speculator()).tolist()


def test_what_renormalising_makes_of_nothing_ends_the_row() -> None:
    prompts = padded_prompts(1, seed=4, vocabulary=NUM_TOKENS)
    with pytest.raises(GuardError, match=r"left to choose, got none after .*MinNewTokensLengthLogitsProcessor"):
        writer().generate(
            **prompts,
            max_new_tokens=40,
            min_new_tokens=35,
            eos_token_id=EOS,
            do_sample=True,
            renormalize_logits=True,
            logits_processor=[guard_of("regex")],
            custom_generate=Speculator(),
        )


@in_all_ways
def test_two_guards_hold_together(batch: int, do_sample: bool) -> None:
    digits = Guard.regex(r"[0-9]*", TOKENIZER)
    arguments = {"max_new_tokens": 30, "eos_token_id": EOS, "do_sample": do_sample}
    zeros = Guard.regex(r"(0|ab|00)*", TOKENIZER)
    comparison = compare(
        writer(),
        padded_prompts(batch, seed=4, vocabulary=NUM_TOKENS),
        lambda: {**arguments, "logits_processor": [digits.processor(EOS), zeros.processor(EOS)]},
        drafted=lambda: {**arguments, "logits_processor": [digits, zeros]},
    )
    # Both leave one token: steering drops every wrong one, so nothing is rolled back.
    assert 0 < comparison.spec.stats.total.num_accepted_tokens
    assert all(set(text) <= {"0"} for text in texts(comparison))


class Stranger(LogitsProcessor):
    """Looks at the text and at all rows, so a batch with it goes in step."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores + scores.flip(0) * 0.01 + (input_ids.sum() % 5) * 0.01 * torch.arange(scores.shape[1])


@pytest.mark.parametrize("kind", KINDS)
@in_all_ways
def test_a_guard_beside_a_stranger_equals_plain(kind: str, batch: int, do_sample: bool) -> None:
    counters = Counters()
    for seed in range(6, 12):  # steering leaves little to roll back
        prompts = padded_prompts(batch, seed=seed, vocabulary=NUM_TOKENS)
        spec = guarded(writer(), prompts, guard_of(kind), Stranger(), do_sample=do_sample).spec
        counters.add(spec.stats.total)
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_guard_beside_other_settings_equals_plain(batch: int) -> None:
    prompts = padded_prompts(batch, seed=6, vocabulary=NUM_TOKENS)
    more: dict[str, Any] = {"temperature": 0.7, "top_k": 5, "repetition_penalty": 1.3, "do_sample": True}
    assert guarded(writer(), prompts, guard_of("json"), **more).spec.stats.total.num_accepted_tokens


@pytest.mark.parametrize("batch", [1, 3])
def test_scores_under_a_guard_are_those_of_plain_decoding(batch: int) -> None:
    prompts = padded_prompts(batch, seed=6, vocabulary=NUM_TOKENS)
    more = {"return_dict_in_generate": True, "output_scores": True, "max_new_tokens": 20, "eos_token_id": EOS}
    guard = guard_of("json")
    plain = writer().generate(**prompts, **more, logits_processor=[guard.processor(EOS)])
    spec = Speculator(budget=FixedBudget(10))
    drafted = writer().generate(**prompts, **more, logits_processor=[guard], custom_generate=spec)
    assert_accepted_and_rolled_back(spec)
    assert plain.sequences.tolist() == drafted.sequences.tolist()
    for expected, actual in zip(plain.scores, drafted.scores, strict=True):
        assert torch.equal(expected == -torch.inf, actual == -torch.inf)
        assert torch.allclose(expected, actual)


@pytest.mark.parametrize("family", SEQ2SEQ)
@pytest.mark.parametrize("batch", [1, 3])
def test_an_encoder_decoder_model_is_guarded(family: str, batch: int) -> None:
    vocabulary = Vocabulary([b"", b"", *(bytes([97 + index]) for index in range(10))], special=[0], eos_tokens=[EOS])
    guard = Guard.regex(r"[a-e]{5}([f-h][ij])*", vocabulary)
    comparison = guarded(tiny_seq2seq(family), sources(batch), guard, max_new_tokens=24)
    # Steering drops what this grammar refuses, which is most of what is drafted wrongly.
    assert 0 < comparison.spec.stats.total.num_accepted_tokens
    for row in comparison.speculative[:, 1:].tolist():
        end = row.index(EOS) if EOS in row else len(row)
        text = vocabulary.decode(row[:end]).decode()
        assert re.fullmatch(r"[a-e]{5}([f-h][ij])*[f-h]?", text)
        assert EOS not in row or guard.accepts(text)


def test_a_model_that_cannot_be_drafted_for_is_guarded_all_the_same() -> None:
    spec = Speculator()
    prompts = padded_prompts(3, seed=6, vocabulary=NUM_TOKENS)
    arguments = {**prompts, "max_new_tokens": 20, "eos_token_id": EOS, "use_cache": False}
    plain = writer().generate(**arguments, logits_processor=[guard_of("json").processor(EOS)])
    with pytest.warns(NgramspecWarning, match="without drafts"):
        found = writer().generate(**arguments, logits_processor=[guard_of("json")], custom_generate=spec)
    assert plain.tolist() == found.tolist()


def test_an_enabled_model_takes_guards() -> None:
    prompts = padded_prompts(2, seed=6, vocabulary=NUM_TOKENS)
    arguments = {**prompts, "max_new_tokens": 30, "eos_token_id": EOS}
    plain = writer().generate(**arguments, logits_processor=[guard_of("json").processor(EOS)])
    with ngramspec.enable(writer(), oracle(plain, 9, NUM_TOKENS)) as spec:
        assert plain.tolist() == writer().generate(**arguments, logits_processor=[guard_of("json")]).tolist()
    assert spec.stats.total.requests == 2
    assert_accepted_and_rolled_back(spec)


def test_a_refused_call_of_an_enabled_model_is_guarded_in_plain_decoding() -> None:
    prompts = padded_prompts(1, seed=6, vocabulary=NUM_TOKENS)
    arguments = {
        **prompts,
        "max_new_tokens": 30,
        "eos_token_id": [EOS, NUM_TOKENS - 1],
        "prefill_chunk_size": 4,
    }
    plain = writer().generate(**arguments, logits_processor=[guard_of("json").processor([EOS, NUM_TOKENS - 1])])
    with ngramspec.enable(writer()) as spec, pytest.warns(NgramspecWarning, match="without drafts"):
        found = writer().generate(**arguments, logits_processor=[guard_of("json")])
    assert plain.tolist() == found.tolist()
    assert spec.stats.total.requests == 0


def test_a_guards_processor_serves_one_speculative_call() -> None:
    processor = guard_of("regex").processor(EOS)
    prompts = padded_prompts(1, seed=3, vocabulary=NUM_TOKENS)  # one draft is wrong and yet legal
    arguments = {**prompts, "max_new_tokens": 30, "eos_token_id": EOS, "logits_processor": [processor]}
    plain = writer().generate(**{**arguments, "logits_processor": [guard_of("regex").processor(EOS)]})
    spec = oracle(plain, 9, NUM_TOKENS)
    assert plain.tolist() == writer().generate(**arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)
    with pytest.raises(GuardError, match="serves one generate"):
        writer().generate(**arguments, custom_generate=Speculator())
    with pytest.raises(GuardError, match="serves one generate"):
        writer().generate(**arguments)


def test_a_guard_in_plain_decoding_names_its_processor() -> None:
    prompts = padded_prompts(1, seed=6, vocabulary=NUM_TOKENS)
    for guard in (guard_of("regex"), Guard.per_row([guard_of("regex")])):
        with pytest.raises(GuardError, match=r"processor\(\)"):
            writer().generate(**prompts, max_new_tokens=3, logits_processor=[guard])


def test_a_row_that_nothing_would_end_is_refused() -> None:
    prompts = padded_prompts(1, seed=6, vocabulary=NUM_TOKENS)
    with pytest.raises(GuardError, match="got eos_token_id=None"):
        writer().generate(
            **prompts, max_new_tokens=3, logits_processor=[guard_of("regex")], custom_generate=Speculator()
        )


class Muzzle(LogitsProcessor):
    """Forbids everything from a length on, or allows just one token that a guard forbids."""

    def __init__(self, length: int, allowed: int | None, only_row: int | None = None) -> None:
        self.length = length
        self.allowed = allowed
        self.only_row = only_row

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] < self.length:
            return scores
        rows = slice(None) if self.only_row is None else slice(self.only_row, self.only_row + 1)
        scores[rows] = -torch.inf
        if self.allowed is not None:
            scores[rows, self.allowed] = 1.0
        return scores


@pytest.mark.parametrize("allowed", [None, NUM_TOKENS - 1, EOS])
@pytest.mark.parametrize("order", [1, -1], ids=["after-the-guard", "before-it"])
@in_all_ways
def test_no_token_is_emitted_that_the_guard_forbids(
    allowed: int | None, order: int, batch: int, do_sample: bool
) -> None:
    prompts = padded_prompts(batch, seed=2, vocabulary=NUM_TOKENS)
    processors = [guard_of("json"), Muzzle(14, allowed)][::order]
    with pytest.raises(GuardError, match=r"Muzzle") as raised:
        writer().generate(
            **prompts,
            max_new_tokens=45,
            eos_token_id=EOS,
            do_sample=do_sample,
            logits_processor=processors,
            custom_generate=Speculator(RandomDrafter(NUM_TOKENS)),
        )
    error = raised.value
    assert 0 == error.row
    assert 14 - 9 == len(error.tokens)
    assert TOKENIZER.decode(error.tokens) == error.text
    assert (batch, 14) == error.sequences.shape


def test_rows_that_can_go_on_are_finished_before_the_error_is_raised() -> None:
    prompts = padded_prompts(3, seed=2, vocabulary=NUM_TOKENS)
    arguments = {**prompts, "max_new_tokens": 45, "eos_token_id": EOS}
    plain = writer().generate(**arguments, logits_processor=[guard_of("json").processor(EOS)])
    with pytest.raises(GuardError) as raised:
        writer().generate(
            **arguments, logits_processor=[guard_of("json"), Muzzle(14, None, only_row=1)], custom_generate=Speculator()
        )
    assert 1 == raised.value.row
    for row in (0, 2):
        kept = raised.value.sequences[row].tolist()
        assert [token for token in plain[row].tolist() if token != PAD] == [token for token in kept if token != PAD]
    assert {PAD} == set(raised.value.sequences[1, 14:].tolist())


class FailingMatcher(Matcher):
    """A language of everything, on a backend that fails at a given position."""

    def __init__(self, vocabulary: Vocabulary, eos_tokens: Any, fails_at: int) -> None:
        super().__init__(vocabulary, eos_tokens)
        self.fails_at = fails_at
        self.depth = 0

    def _mask(self, row: BitmaskArray) -> None:
        if self.depth == self.fails_at:
            raise BackendError("out of fuel")
        row[:] = -1

    def _push(self, token: int) -> bool:
        self.depth += 1
        return True

    def _push_bytes(self, text: bytes) -> int:
        self.depth += len(text)
        return len(text)

    def _pop(self, num_steps: int) -> None:
        self.depth -= num_steps

    def _accepting(self) -> bool:
        return False

    def _forced(self) -> bytes:
        return b""

    def _restart(self) -> None:
        self.depth = 0


class Failing:
    """A compiled grammar whose matchers fail."""

    def __init__(self, fails_at: int) -> None:
        self.vocabulary = Vocabulary.of(TOKENIZER)
        self.fails_at = fails_at

    def matcher(self, eos_tokens: Any) -> Matcher:
        return FailingMatcher(self.vocabulary, eos_tokens, self.fails_at)


@pytest.mark.parametrize("fails_at", [0, 1, 7, 12])
@in_all_ways
def test_a_row_whose_backend_fails_ends_there_with_its_text(fails_at: int, batch: int, do_sample: bool) -> None:
    prompts = padded_prompts(batch, seed=2, vocabulary=NUM_TOKENS)
    arguments = {**prompts, "max_new_tokens": 20, "eos_token_id": EOS, "do_sample": do_sample}
    failing = Guard(Failing(fails_at), "failing")
    guards = Guard.per_row([failing, Guard(Failing(99), "fine"), Guard(Failing(99), "fine")][:batch])
    model = writer()  # to make it takes random numbers
    torch.manual_seed(1)
    fine = model.generate(
        **arguments,
        logits_processor=[Guard(Failing(99), "fine")],
        custom_generate=Speculator(RandomDrafter(NUM_TOKENS)),
    )
    torch.manual_seed(1)
    with pytest.raises(GuardError, match="out of fuel") as raised:
        writer().generate(**arguments, logits_processor=[guards], custom_generate=Speculator(RandomDrafter(NUM_TOKENS)))
    assert fine[0, 9 : 9 + fails_at].tolist() == raised.value.tokens
    assert TOKENIZER.decode(raised.value.tokens) == raised.value.text
    assert fine[1:].tolist() == raised.value.sequences[1:].tolist()


def test_a_stream_ends_when_a_guard_fails() -> None:
    streamer = TextIteratorStreamer(TOKENIZER, skip_prompt=True, timeout=30)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            Speculator().generate(
                writer(),
                **padded_prompts(1, seed=2, vocabulary=NUM_TOKENS),
                max_new_tokens=45,
                eos_token_id=EOS,
                logits_processor=[guard_of("json"), Muzzle(14, None)],
                streamer=streamer,
            )
        except GuardError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    streamed = "".join(streamer)
    thread.join()
    [error] = errors
    assert isinstance(error, GuardError)
    assert error.text == streamed


def test_a_stop_string_and_a_length_end_a_guarded_row() -> None:
    prompts = padded_prompts(3, seed=2, vocabulary=NUM_TOKENS)
    arguments: dict[str, Any] = {"max_new_tokens": 25, "eos_token_id": EOS, "stop_strings": ['"b"']}
    plain = writer().generate(
        **prompts, **arguments, tokenizer=TOKENIZER, logits_processor=[guard_of("json").processor(EOS)]
    )
    spec = oracle(plain, 9, NUM_TOKENS)
    found = spec.generate(writer(), **prompts, **arguments, tokenizer=TOKENIZER, logits_processor=[guard_of("json")])
    assert plain.tolist() == found.tolist()
    assert_accepted_and_rolled_back(spec)


def test_many_threads_share_one_guard_and_one_speculator() -> None:
    spec, guard = Speculator(budget=FixedBudget(10)), guard_of("json")
    prompts = [padded_prompts(2, seed=seed, vocabulary=NUM_TOKENS) for seed in range(6)]
    arguments = {"max_new_tokens": 30, "eos_token_id": EOS}
    plain = [writer().generate(**each, **arguments, logits_processor=[guard.processor(EOS)]) for each in prompts]
    found: dict[int, Tensor] = {}

    def run(index: int) -> None:
        found[index] = writer().generate(**prompts[index], **arguments, logits_processor=[guard], custom_generate=spec)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.tolist() for each in plain] == [found[index].tolist() for index in range(len(prompts))]
    assert_accepted_and_rolled_back(spec)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    guarded(writer(), padded_prompts(2, seed=2, vocabulary=NUM_TOKENS), guard_of("json"))
    assert before == threading.active_count()


@pytest.mark.parametrize("extra", [5, 40, 0], ids=["padded", "padded by a word", "alike"])
def test_logits_wider_than_the_vocabulary_are_never_chosen(extra: int) -> None:
    model = tiny("gpt2", vocabulary=NUM_TOKENS + extra)
    guard = Guard.regex(r".*", TOKENIZER)
    for do_sample in (False, True):
        comparison = guarded(model, padded_prompts(2, seed=2, vocabulary=NUM_TOKENS), guard, do_sample=do_sample)
        assert int(comparison.speculative.max()) < NUM_TOKENS


def test_logits_narrower_than_the_vocabulary_lose_what_they_lack() -> None:
    added = [NUM_TOKENS, NUM_TOKENS + 1]
    wide = Vocabulary([*Vocabulary.of(TOKENIZER).tokens, b"zz", b"ab"], special=[PAD, *added], eos_tokens=[EOS])
    guard = Guard.regex(REGEX, wide)
    comparison = guarded(writer(), padded_prompts(2, seed=2, vocabulary=NUM_TOKENS), guard)
    assert np.all(comparison.speculative.numpy() < NUM_TOKENS)
