"""Every stopping criterion of transformers, and custom ones: rows end where plain `generate()` ends them."""

import inspect
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.generation import stopping_criteria as sc
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from ngramspec import Speculator
from ngramspec.hf.choice.known_processors import PURE_CRITERIA, are_pure_criteria
from ngramspec.stats import Counters
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits, oracle
from tests.hf.models import EOS, MAX_POSITIONS, PAD, VOCABULARY, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

PROMPT_LENGTH = 9
TOKENIZER = character_tokenizer("abcdefghij")  # with padding and end, as many tokens as the models know


def stop_strings(*texts: str) -> StoppingCriteria:
    return sc.StopStringCriteria(TOKENIZER, list(texts))


CASES: dict[str, tuple[type[StoppingCriteria], Callable[[], StoppingCriteria]]] = {
    "length": (sc.MaxLengthCriteria, lambda: sc.MaxLengthCriteria(PROMPT_LENGTH + 13)),
    "length, with a reminder": (sc.MaxLengthCriteria, lambda: sc.MaxLengthCriteria(PROMPT_LENGTH + 13, 12)),
    "time": (sc.MaxTimeCriteria, lambda: sc.MaxTimeCriteria(max_time=1e9)),
    "stop strings": (sc.StopStringCriteria, lambda: stop_strings("b", "gh")),
    "a long stop string": (sc.StopStringCriteria, lambda: stop_strings("bfb", "ahia", "fb")),
    "end of sequence": (sc.EosTokenCriteria, lambda: sc.EosTokenCriteria(5)),
    "several ends of sequence": (sc.EosTokenCriteria, lambda: sc.EosTokenCriteria([4, 8])),
}
INAPPLICABLE = {sc.ConfidenceCriteria: "reads scores, which only output_scores gives it"}

in_all_ways = pytest.mark.parametrize(
    ("batch", "do_sample"),
    [(1, False), (1, True), (3, False), (3, True)],
    ids=["alone-greedy", "alone-sampled", "batch-greedy", "batch-sampled"],
)
by_case = pytest.mark.parametrize(("made", "make"), CASES.values(), ids=CASES)
pytestmark = pytest.mark.filterwarnings("ignore:Using the model-agnostic default `max_length`")
with_or_without_end = pytest.mark.parametrize("end", [EOS, None], ids=["end", "endless"])


def all_criteria() -> set[type]:
    return {
        made
        for made in vars(sc).values()
        if inspect.isclass(made) and issubclass(made, StoppingCriteria) and made is not StoppingCriteria
    }


def test_the_tables_name_every_criterion_of_transformers() -> None:
    assert all_criteria() == {made for made, _ in CASES.values()} | set(INAPPLICABLE)
    assert all_criteria() >= PURE_CRITERIA


@by_case
@in_all_ways
@with_or_without_end
def test_rows_end_where_plain_decoding_ends_them(
    made: type[StoppingCriteria],
    make: Callable[[], StoppingCriteria],
    batch: int,
    do_sample: bool,
    end: int | None,
) -> None:
    assert type(make()) is made
    if made is sc.EosTokenCriteria:
        end = None  # transformers takes one criterion of a kind
    own_limit = {} if made is sc.MaxLengthCriteria else {"max_new_tokens": 27}
    comparison = compare(
        tiny("llama"),
        padded_prompts(batch, PROMPT_LENGTH, seed=8),
        lambda: {
            **own_limit,
            "eos_token_id": end,
            "do_sample": do_sample,
            "stopping_criteria": StoppingCriteriaList([make()]),
        },
        corrupted=0.8,
    )
    assert_accepted_and_rolled_back(comparison.spec)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("limit", [{"max_new_tokens": 5}, {}, {"max_length": PROMPT_LENGTH + 4}])
def test_a_length_of_the_callers_replaces_the_calls_own_be_it_longer(batch: int, limit: dict[str, int]) -> None:
    comparison = compare(
        tiny("llama"),
        padded_prompts(batch, PROMPT_LENGTH, seed=8),
        lambda: {**limit, "stopping_criteria": StoppingCriteriaList([sc.MaxLengthCriteria(PROMPT_LENGTH + 31)])},
    )
    assert comparison.plain.shape[1] == PROMPT_LENGTH + 31
    assert_accepted_and_rolled_back(comparison.spec)


@by_case
def test_a_pure_criterion_answers_per_row_as_in_a_batch(
    made: type[StoppingCriteria], make: Callable[[], StoppingCriteria]
) -> None:
    assert are_pure_criteria([make()]) == (made in PURE_CRITERIA)
    in_batch, alone = make(), make()
    generator = torch.Generator().manual_seed(2)
    answers = []
    for length in [*range(1, 40)] * 4:
        text = torch.randint(0, VOCABULARY, (3, length), generator=generator)
        text[0, : length // 2] = PAD
        together = in_batch(text, None)
        answers += together.tolist()
        for row in (2, 0, 1):
            assert together[row : row + 1].tolist() == alone(text[row : row + 1], None).tolist()
    assert made is sc.MaxTimeCriteria or len(set(answers)) == 2


def test_a_time_limit_in_the_past_ends_every_row_with_its_first_token() -> None:
    for batch in (1, 3):
        comparison = compare(
            tiny("llama"),
            padded_prompts(batch),
            lambda: limits(stopping_criteria=[sc.MaxTimeCriteria(max_time=1.0, initial_timestamp=0.0)]),
        )
        assert comparison.plain.shape[1] == PROMPT_LENGTH + 1


def test_the_time_is_looked_at_once_per_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for do_sample in (False, True):

        def arguments(do_sample: bool = do_sample) -> dict[str, Any]:
            clock = itertools.count()
            monkeypatch.setattr(time, "time", lambda: next(clock))  # a second passes with every look
            return {"max_new_tokens": 40, "max_time": 16.5, "do_sample": do_sample}

        comparison = compare(tiny("llama"), padded_prompts(1), arguments)
        assert comparison.plain.shape[1] == PROMPT_LENGTH + 17
        assert_accepted_and_rolled_back(comparison.spec)


def test_a_length_limit_below_the_prompt_ends_every_row_with_its_first_token() -> None:
    for batch in (1, 3):
        comparison = compare(
            tiny("llama"), padded_prompts(batch), lambda: {"stopping_criteria": [sc.MaxLengthCriteria(4)]}
        )
        assert comparison.plain.shape[1] == PROMPT_LENGTH + 1


def test_a_length_limit_that_no_memory_could_hold_costs_nothing() -> None:
    for batch in (1, 3):
        comparison = compare(
            tiny("llama"), padded_prompts(batch), lambda: {"max_new_tokens": 10**13, "eos_token_id": [2, 3, 5, 7]}
        )
        assert comparison.plain.shape[1] < PROMPT_LENGTH + MAX_POSITIONS


def test_the_confidence_criterion_is_given_its_scores_or_fails_as_in_plain_decoding() -> None:
    arguments: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 20}
    for way in ({}, {"custom_generate": Speculator()}):
        with pytest.raises(TypeError):
            tiny("llama").generate(**arguments, stopping_criteria=[sc.ConfidenceCriteria(0.5)], **way)
    ends, counters = set(), Counters()
    for threshold in (0.01, 0.2, 0.3, 0.4, 0.5):
        arguments |= {"stopping_criteria": [sc.ConfidenceCriteria(threshold)]}
        arguments |= {"return_dict_in_generate": True, "output_scores": True}
        plain = tiny("llama").generate(**arguments).sequences
        spec = oracle(plain)
        assert plain.tolist() == tiny("llama").generate(**arguments, custom_generate=spec).sequences.tolist()
        ends.add(plain.shape[1])
        counters.add(spec.stats.total)
    assert len(ends) > 1
    assert_accepted_and_rolled_back(counters)


class NastyCriterion(StoppingCriteria):
    """Keeps state, looks across rows, remembers every call, and its answer depends on how often it was asked."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.calls: list[tuple[list[list[int]], Any]] = []
        self.total = 0

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        self.calls.append((input_ids.tolist(), scores))
        self.total += int(input_ids[:, -1].sum())
        if self.kind == "together":
            return torch.full((len(input_ids),), self.total > 80 * len(input_ids))
        if self.kind == "one by one":
            return torch.arange(len(input_ids)) * 6 + 5 < len(self.calls)
        if self.kind == "flickers":  # a row that was told to end is told so once only
            return (input_ids[:, -1] + self.total) % 9 == 0
        return self.total > 90 * len(input_ids)  # a plain bool, as ConfidenceCriteria gives


class EndsLikeAnEnd(NastyCriterion):
    """Has an `eos_token_id`, so plain decoding fills finished rows with padding."""

    eos_token_id = torch.tensor([EOS])


@pytest.mark.parametrize("kind", ["together", "one by one", "flickers", "plain bool"])
@pytest.mark.parametrize("made", [NastyCriterion, EndsLikeAnEnd])
@pytest.mark.parametrize("end", [EOS, None], ids=["end", "endless"])
@in_all_ways
def test_a_strange_criterion_gets_the_calls_of_plain_decoding(
    kind: str, made: type[NastyCriterion], end: int | None, batch: int, do_sample: bool
) -> None:
    made_criteria: list[NastyCriterion] = []

    def arguments() -> dict[str, Any]:
        made_criteria.append(made(kind))
        criteria = StoppingCriteriaList([made_criteria[-1]])
        return {"max_new_tokens": 40, "eos_token_id": end, "do_sample": do_sample, "stopping_criteria": criteria}

    comparison = compare(tiny("llama"), padded_prompts(batch, PROMPT_LENGTH, seed=4), arguments, corrupted=0.7)
    *_, plain, speculative = made_criteria
    assert plain.calls == speculative.calls
    assert plain.calls
    assert_accepted_and_rolled_back(comparison.spec)
