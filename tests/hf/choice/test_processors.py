"""Every logits processor of transformers: the text is that of plain `generate()`, and our table is correct."""

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import SynthIDTextWatermarkingConfig, WatermarkingConfig
from transformers.generation import logits_process as lp
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList

from ngramspec import Speculator
from ngramspec.hf.choice.known_processors import BLIND_PROCESSORS, PURE_PROCESSORS, are_blind, are_pure
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.models import EOS, PAD, VOCABULARY, padded_prompts, tiny

PROMPT_LENGTH = 9
MAX_LENGTH = PROMPT_LENGTH + 27
STRANGER, PURE, BLIND = "stranger", "pure", "blind"


@dataclass(frozen=True, slots=True)
class Case:
    """One way to make a processor of `made`, from the prompts `int64[B, P]`; `kind` is what our table says of it."""

    made: type[LogitsProcessor]
    kind: str
    make: Callable[[Any], Any]
    vocabulary: int = VOCABULARY


def whisper_settings() -> Any:
    return SimpleNamespace(no_timestamps_token_id=7, eos_token_id=EOS, bos_token_id=None, max_initial_timestamp_index=2)


def unbatched_guidance(prompts: Tensor) -> LogitsProcessor:
    return lp.UnbatchedClassifierFreeGuidanceLogitsProcessor(1.7, tiny("llama"))


def synth_id(prompts: Tensor) -> LogitsProcessor:
    config = SynthIDTextWatermarkingConfig(ngram_len=3, keys=[3, 5, 7], context_history_size=8, sampling_table_size=64)
    return config.construct_processor(VOCABULARY, prompts.device)


def allowed_by_row(row: int, text: Tensor) -> list[int]:
    return [token for token in range(VOCABULARY) if (token + row + int(text[-1])) % 3]


def padding_of(prompts: Tensor) -> Tensor:
    return (prompts != PAD).int().argmax(dim=1)


def takes_a_length_per_row() -> bool:
    """Whether the repetition penalty ignores a length of prompt per row: not so in transformers 5.17."""
    taken = inspect.signature(lp.RepetitionPenaltyLogitsProcessor).parameters["prompt_ignore_length"]
    return "Tensor" in str(taken.annotation)


END = {"eos_token_id": EOS}
CASES = {
    "min length": Case(lp.MinLengthLogitsProcessor, PURE, lambda _: lp.MinLengthLogitsProcessor(20, EOS)),
    "min new tokens": Case(
        lp.MinNewTokensLengthLogitsProcessor,
        PURE,
        lambda _: lp.MinNewTokensLengthLogitsProcessor(PROMPT_LENGTH, 14, EOS),
    ),
    "temperature": Case(lp.TemperatureLogitsWarper, BLIND, lambda _: lp.TemperatureLogitsWarper(0.6)),
    "repetition penalty": Case(
        lp.RepetitionPenaltyLogitsProcessor, PURE, lambda _: lp.RepetitionPenaltyLogitsProcessor(1.4)
    ),
    "repetition penalty, one length of prompt ignored": Case(
        lp.RepetitionPenaltyLogitsProcessor,
        PURE,
        lambda _: lp.RepetitionPenaltyLogitsProcessor(1.4, prompt_ignore_length=PROMPT_LENGTH),
    ),
    "repetition penalty, padding of each row ignored": Case(
        lp.RepetitionPenaltyLogitsProcessor,
        STRANGER,
        lambda prompts: lp.RepetitionPenaltyLogitsProcessor(1.4, prompt_ignore_length=padding_of(prompts)),
    ),
    "encoder repetition penalty": Case(
        lp.EncoderRepetitionPenaltyLogitsProcessor,
        STRANGER,
        lambda prompts: lp.EncoderRepetitionPenaltyLogitsProcessor(1.5, prompts),
    ),
    "top p": Case(lp.TopPLogitsWarper, BLIND, lambda _: lp.TopPLogitsWarper(0.8)),
    "top k": Case(lp.TopKLogitsWarper, BLIND, lambda _: lp.TopKLogitsWarper(5)),
    "top h": Case(lp.TopHLogitsWarper, BLIND, lambda _: lp.TopHLogitsWarper(0.7)),
    "min p": Case(lp.MinPLogitsWarper, BLIND, lambda _: lp.MinPLogitsWarper(0.1)),
    "typical": Case(lp.TypicalLogitsWarper, BLIND, lambda _: lp.TypicalLogitsWarper(0.8)),
    "epsilon": Case(lp.EpsilonLogitsWarper, BLIND, lambda _: lp.EpsilonLogitsWarper(0.05)),
    "eta": Case(lp.EtaLogitsWarper, BLIND, lambda _: lp.EtaLogitsWarper(0.1)),
    "no repeated n-gram": Case(lp.NoRepeatNGramLogitsProcessor, PURE, lambda _: lp.NoRepeatNGramLogitsProcessor(2)),
    "no repeated token": Case(lp.NoRepeatNGramLogitsProcessor, PURE, lambda _: lp.NoRepeatNGramLogitsProcessor(3)),
    "no n-gram of the encoder's": Case(
        lp.EncoderNoRepeatNGramLogitsProcessor,
        STRANGER,
        lambda prompts: lp.EncoderNoRepeatNGramLogitsProcessor(2, prompts),
    ),
    "sequence bias": Case(
        lp.SequenceBiasLogitsProcessor,
        PURE,
        lambda _: lp.SequenceBiasLogitsProcessor([[[3], -4.0], [[2, 7], 3.0], [[7, 2], -9.0]]),
    ),
    "bad words": Case(
        lp.NoBadWordsLogitsProcessor, PURE, lambda _: lp.NoBadWordsLogitsProcessor([[3], [2, 7], [9, 3, 9]], EOS)
    ),
    "allowed by row": Case(
        lp.PrefixConstrainedLogitsProcessor,
        STRANGER,
        lambda _: lp.PrefixConstrainedLogitsProcessor(allowed_by_row, num_beams=1),
    ),
    "forced beginning": Case(lp.ForcedBOSTokenLogitsProcessor, PURE, lambda _: lp.ForcedBOSTokenLogitsProcessor(5)),
    "forced end": Case(
        lp.ForcedEOSTokenLogitsProcessor, PURE, lambda _: lp.ForcedEOSTokenLogitsProcessor(MAX_LENGTH, EOS)
    ),
    "remove infinities": Case(lp.InfNanRemoveLogitsProcessor, BLIND, lambda _: lp.InfNanRemoveLogitsProcessor()),
    "decaying length": Case(
        lp.ExponentialDecayLengthPenalty,
        PURE,
        lambda _: lp.ExponentialDecayLengthPenalty((8, 1.3), EOS, PROMPT_LENGTH),
    ),
    "normalisation": Case(lp.LogitNormalization, BLIND, lambda _: lp.LogitNormalization()),
    "suppressed at the beginning": Case(
        lp.SuppressTokensAtBeginLogitsProcessor,
        PURE,
        lambda _: lp.SuppressTokensAtBeginLogitsProcessor([3, 9, 10], PROMPT_LENGTH),
    ),
    "suppressed": Case(lp.SuppressTokensLogitsProcessor, BLIND, lambda _: lp.SuppressTokensLogitsProcessor([3, 9])),
    "Whisper's timestamps": Case(
        lp.WhisperTimeStampLogitsProcessor,
        STRANGER,
        lambda _: lp.WhisperTimeStampLogitsProcessor(whisper_settings(), PROMPT_LENGTH),
    ),
    "Whisper's silence": Case(
        lp.WhisperNoSpeechDetection, STRANGER, lambda _: lp.WhisperNoSpeechDetection(4, begin_index=1)
    ),
    "Bark's codebooks": Case(
        lp.AlternatingCodebooksLogitsProcessor,
        STRANGER,
        lambda _: lp.AlternatingCodebooksLogitsProcessor(PROMPT_LENGTH, 2, 5),
    ),
    "guidance": Case(lp.UnbatchedClassifierFreeGuidanceLogitsProcessor, STRANGER, unbatched_guidance),
    "Bark's early end": Case(
        lp.BarkEosPrioritizerLogitsProcessor, STRANGER, lambda _: lp.BarkEosPrioritizerLogitsProcessor(EOS, 0.3)
    ),
    "watermark": Case(
        lp.WatermarkLogitsProcessor, PURE, lambda _: lp.WatermarkLogitsProcessor(VOCABULARY, "cpu", bias=1.0)
    ),
    "watermark that hashes itself": Case(
        lp.WatermarkLogitsProcessor,
        PURE,
        lambda _: lp.WatermarkLogitsProcessor(48, "cpu", bias=1.0, seeding_scheme="selfhash", context_width=3),
        vocabulary=48,  # it looks at the 40 best tokens
    ),
    "SynthID": Case(lp.SynthIDTextWatermarkLogitsProcessor, STRANGER, synth_id),
    "Dia's channels": Case(
        lp.DiaEOSChannelFilterLogitsProcessor,
        STRANGER,
        lambda prompts: lp.DiaEOSChannelFilterLogitsProcessor(len(prompts), eos_token_id=VOCABULARY - 2),
    ),
    "Dia's delays": Case(
        lp.DiaEOSDelayPatternLogitsProcessor,
        STRANGER,
        lambda prompts: lp.DiaEOSDelayPatternLogitsProcessor([0, 2, 5][: len(prompts)], EOS, MAX_LENGTH - 4),
    ),
}
if not takes_a_length_per_row():
    del CASES["repetition penalty, padding of each row ignored"]
INAPPLICABLE = {
    lp.ClassifierFreeGuidanceLogitsProcessor: "takes twice as many rows of scores as of text",
    lp.DiaClassifierFreeGuidanceLogitsProcessor: "takes twice as many rows of scores as of text",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "all warpers": {
        "temperature": 0.9,
        "top_k": 9,
        "top_p": 0.95,
        "top_h": 0.9,
        "min_p": 0.02,
        "typical_p": 0.95,
        "epsilon_cutoff": 0.01,
        "eta_cutoff": 0.01,
        "renormalize_logits": True,
    },
    "repetition penalty": {"repetition_penalty": 1.4},
    "n-grams": {"no_repeat_ngram_size": 2, "encoder_no_repeat_ngram_size": 3, "encoder_repetition_penalty": 1.3},
    "words": {"bad_words_ids": [[3], [2, 7]], "sequence_bias": [[[9, 2], 4.0]], "suppress_tokens": [8]},
    "ends": {
        "min_new_tokens": 7,
        "min_length": 12,
        "forced_eos_token_id": EOS,
        "exponential_decay_length_penalty": (12, 1.2),
        "begin_suppress_tokens": [3, 10],
        "remove_invalid_values": True,
    },
    "allowed by row": {"prefix_allowed_tokens_fn": allowed_by_row},
    "watermark": {"watermarking_config": WatermarkingConfig(bias=1.0)},
    "SynthID": {"watermarking_config": SynthIDTextWatermarkingConfig(ngram_len=3, keys=[3, 5, 7])},
    "guidance": {"guidance_scale": 1.5},
}

in_all_ways = pytest.mark.parametrize(
    ("batch", "do_sample"),
    [(1, False), (1, True), (3, False), (3, True)],
    ids=["alone-greedy", "alone-sampled", "batch-greedy", "batch-sampled"],
)


def by_case_of(*kinds: str) -> pytest.MarkDecorator:
    cases = {name: case for name, case in CASES.items() if case.kind in kinds}
    return pytest.mark.parametrize("case", cases.values(), ids=cases)


def all_processors() -> set[type]:
    return {
        made
        for made in vars(lp).values()
        if inspect.isclass(made) and issubclass(made, LogitsProcessor) and made is not LogitsProcessor
    }


def test_the_tables_name_every_processor_of_transformers() -> None:
    assert all_processors() == {case.made for case in CASES.values()} | set(INAPPLICABLE)
    assert all_processors() >= PURE_PROCESSORS >= BLIND_PROCESSORS


@by_case_of(STRANGER, PURE, BLIND)
@in_all_ways
def test_processed_text_equals_plain(case: Case, batch: int, do_sample: bool) -> None:
    prompts = padded_prompts(batch, PROMPT_LENGTH, seed=3)
    comparison = compare(
        tiny("llama", vocabulary=case.vocabulary),
        prompts,
        lambda: limits(do_sample=do_sample, logits_processor=LogitsProcessorList([case.make(prompts["input_ids"])])),
    )
    assert_accepted_and_rolled_back(comparison.spec)


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
@in_all_ways
def test_text_equals_plain_with_arguments_of_generate(arguments: dict[str, Any], batch: int, do_sample: bool) -> None:
    prompts = padded_prompts(batch, PROMPT_LENGTH, seed=9)
    comparison = compare(tiny("gemma3"), prompts, lambda: limits(do_sample=do_sample, **arguments))
    assert_accepted_and_rolled_back(comparison.spec)


@pytest.mark.parametrize("made", INAPPLICABLE)
def test_inapplicable_processors_fail_as_they_do_in_plain_decoding(made: Any) -> None:
    prompts = padded_prompts(1)
    for way in ({}, {"custom_generate": Speculator()}):
        with pytest.raises(ValueError, match="twice the batch size"):
            tiny("llama").generate(**prompts, max_new_tokens=4, logits_processor=[made(guidance_scale=2.0)], **way)


@by_case_of(STRANGER, PURE, BLIND)
def test_a_case_is_of_the_kind_that_the_table_says(case: Case) -> None:
    processors = [case.make(padded_prompts(3, PROMPT_LENGTH)["input_ids"])]
    assert type(processors[0]) is case.made
    assert are_blind(processors) == (case.kind == BLIND)
    assert are_pure(processors) == (case.kind in (BLIND, PURE))


@by_case_of(BLIND)
def test_a_blind_processor_gives_the_same_for_any_text(case: Case) -> None:
    processor = case.make(padded_prompts(3)["input_ids"])
    scores, _ = some_scores(seed=1, rows=40, vocabulary=case.vocabulary)
    none = torch.empty((40, 0), dtype=torch.long)
    expected = processor(none, scores.clone())
    for seed in range(5):
        _, text = some_scores(seed, rows=40, vocabulary=case.vocabulary)
        assert torch.equal(expected, processor(text, scores.clone()))
        assert torch.equal(expected[7:9], processor(text[7:9], scores[7:9].clone()))


@by_case_of(BLIND, PURE)
def test_a_pure_processor_gives_per_row_what_it_gives_in_a_batch(case: Case) -> None:
    in_batch, alone = (case.make(padded_prompts(3)["input_ids"]) for _ in range(2))
    calls = [
        some_scores(seed, rows=3, length=PROMPT_LENGTH + seed, vocabulary=case.vocabulary)
        for seed in range(MAX_LENGTH - PROMPT_LENGTH)
    ]
    expected = {step: in_batch(text, scores.clone()) for step, (scores, text) in enumerate(calls)}
    order = [(step, row) for step in expected for row in range(3)]
    random.Random(5).shuffle(order)  # a state, or a step that leaves a trace, would show
    for step, row in order:
        scores, text = calls[step]
        assert torch.equal(expected[step][row : row + 1], alone(text[row : row + 1], scores[row : row + 1].clone()))


def test_a_subclass_of_a_pure_processor_is_a_stranger() -> None:
    class CountsCalls(lp.TemperatureLogitsWarper):
        pass

    assert not are_pure([CountsCalls(0.5)])
    assert not are_blind([CountsCalls(0.5)])


def some_scores(
    seed: int, *, rows: int, length: int = PROMPT_LENGTH, vocabulary: int = VOCABULARY
) -> tuple[Tensor, Tensor]:
    """Scores `float32[rows, V]` and texts `int64[rows, length]` with a padded first row."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn((rows, vocabulary), generator=generator) * 2
    text = torch.randint(0, vocabulary, (rows, length), generator=generator)
    text[0, :4] = PAD
    return scores, text
