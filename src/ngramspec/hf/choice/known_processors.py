"""transformers' own processors and criteria, classed by the rows and text that they read.

1. blind to the text: scores in, scores out, row by row (temperature, top-k, …);
2. pure per row: the new scores of a row depend on that row's text and scores only;
3. all others, which keep state, or index by row, or are unknown.

The tables list exact types: a subclass may do anything.
"""

from collections.abc import Iterable

import torch

from ngramspec.hf.seam import LogitsProcessor, StoppingCriteria, logits_process, named, stopping_criteria

BLIND_PROCESSORS = named(
    logits_process,
    (
        "TemperatureLogitsWarper",
        "TopKLogitsWarper",
        "TopPLogitsWarper",
        "TopHLogitsWarper",
        "MinPLogitsWarper",
        "TypicalLogitsWarper",
        "EpsilonLogitsWarper",
        "EtaLogitsWarper",
        "InfNanRemoveLogitsProcessor",
        "LogitNormalization",
        "SuppressTokensLogitsProcessor",
    ),
)

PURE_PROCESSORS = BLIND_PROCESSORS | named(
    logits_process,
    (
        "MinLengthLogitsProcessor",
        "MinNewTokensLengthLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor",
        "NoRepeatNGramLogitsProcessor",
        "SequenceBiasLogitsProcessor",
        "NoBadWordsLogitsProcessor",
        "ForcedBOSTokenLogitsProcessor",
        "ForcedEOSTokenLogitsProcessor",
        "ExponentialDecayLengthPenalty",
        "SuppressTokensAtBeginLogitsProcessor",
        "WatermarkLogitsProcessor",  # its generator is reseeded from the text in every call
    ),
)

PURE_CRITERIA = named(
    stopping_criteria, ("MaxLengthCriteria", "MaxTimeCriteria", "StopStringCriteria", "EosTokenCriteria")
)


def are_blind(processors: Iterable[LogitsProcessor]) -> bool:
    """Whether no processor reads the text, so all positions may be processed at once."""
    return all(type(processor) in BLIND_PROCESSORS for processor in processors)


def are_pure(processors: Iterable[LogitsProcessor]) -> bool:
    """Whether each row may be processed alone."""
    return all(type(processor) in PURE_PROCESSORS and not _indexes_by_row(processor) for processor in processors)


def are_pure_criteria(criteria: Iterable[StoppingCriteria]) -> bool:
    """Whether each row's end may be decided alone."""
    return all(type(criterion) in PURE_CRITERIA for criterion in criteria)


def _indexes_by_row(processor: LogitsProcessor) -> bool:
    # With a padded batch, generate() gives the repetition penalty one length of padding per row.
    return isinstance(getattr(processor, "prompt_ignore_length", None), torch.Tensor)
