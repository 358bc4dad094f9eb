"""What is known of transformers' own processors and criteria: which rows and which text they look at.

Three kinds, and a stranger is always of the third:

1. blind to the text: scores in, scores out, row by row (temperature, top-k, …);
2. pure per row: the new scores of a row depend on that row's text and scores alone;
3. anything else: it keeps state, or indexes by row, or nobody has looked.

The tables go by exact type: a subclass may do anything.
"""

from collections.abc import Iterable

import torch
from transformers.generation import logits_process as lp
from transformers.generation import stopping_criteria as sc
from transformers.generation.logits_process import LogitsProcessor
from transformers.generation.stopping_criteria import StoppingCriteria

from ngramspec.hf.guarding import Masking

BLIND_PROCESSORS: frozenset[type] = frozenset(
    {
        lp.TemperatureLogitsWarper,
        lp.TopKLogitsWarper,
        lp.TopPLogitsWarper,
        lp.TopHLogitsWarper,
        lp.MinPLogitsWarper,
        lp.TypicalLogitsWarper,
        lp.EpsilonLogitsWarper,
        lp.EtaLogitsWarper,
        lp.InfNanRemoveLogitsProcessor,
        lp.LogitNormalization,
        lp.SuppressTokensLogitsProcessor,
    }
)

PURE_PROCESSORS: frozenset[type] = BLIND_PROCESSORS | {
    lp.MinLengthLogitsProcessor,
    lp.MinNewTokensLengthLogitsProcessor,
    lp.RepetitionPenaltyLogitsProcessor,
    lp.NoRepeatNGramLogitsProcessor,
    lp.SequenceBiasLogitsProcessor,
    lp.NoBadWordsLogitsProcessor,
    lp.ForcedBOSTokenLogitsProcessor,
    lp.ForcedEOSTokenLogitsProcessor,
    lp.ExponentialDecayLengthPenalty,
    lp.SuppressTokensAtBeginLogitsProcessor,
    lp.WatermarkLogitsProcessor,  # its generator is seeded afresh from the text at every call
}

_OURS: frozenset[type] = frozenset({Masking})
"""Blind: it is told which places the scores are of, and its matchers have read the text."""

PURE_CRITERIA: frozenset[type] = frozenset(
    {sc.MaxLengthCriteria, sc.MaxTimeCriteria, sc.StopStringCriteria, sc.EosTokenCriteria}
)


def are_blind(processors: Iterable[LogitsProcessor]) -> bool:
    """Whether no processor looks at the text, so that all positions may be processed at once."""
    return all(type(processor) in BLIND_PROCESSORS | _OURS for processor in processors)


def are_pure(processors: Iterable[LogitsProcessor]) -> bool:
    """Whether each row may be processed alone, as if it were the only one."""
    return all(
        type(processor) in PURE_PROCESSORS | _OURS and not _indexes_by_row(processor) for processor in processors
    )


def are_pure_criteria(criteria: Iterable[StoppingCriteria]) -> bool:
    """Whether each row may be asked alone whether it has ended."""
    return all(type(criterion) in PURE_CRITERIA for criterion in criteria)


def _indexes_by_row(processor: LogitsProcessor) -> bool:
    # With a padded batch, generate() gives the repetition penalty one length of padding per row.
    return isinstance(getattr(processor, "prompt_ignore_length", None), torch.Tensor)
