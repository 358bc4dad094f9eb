"""Opens a call and its rows: each row with its session, prompt, positions, guards and generator."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ngramspec.decoding.row import NO_LIMIT
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import Drafter, TokenArray
from ngramspec.errors import PromptError
from ngramspec.guards import Matcher
from ngramspec.hf import seam
from ngramspec.hf.choice.adopting import guides_of
from ngramspec.hf.choice.guards import matchers_of
from ngramspec.hf.choice.masks import MaskThreads, RowMasks
from ngramspec.hf.choice.processors import Processors
from ngramspec.hf.choice.sampling import Picker, pickers
from ngramspec.hf.choice.score_record import ScoreRecord
from ngramspec.hf.facts.limits import max_drafted_position, vocabulary
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import REACH, ModelRow
from ngramspec.stats import Counters


@dataclass(frozen=True, slots=True)
class RowDrafter:
    """The drafter of one row, and the row's segment.

    references: texts that drafts may copy from although the model does not read them.
    """

    drafter: Drafter
    segment: str | None = None
    references: Sequence[TokenArray] = ()


@dataclass(frozen=True, slots=True)
class RowChoice:
    """How the tokens of one row are chosen.

    guides: matchers that keep its drafts within adopted constraints, which do their own masking.
    """

    picker: Picker
    masks: RowMasks = field(default_factory=RowMasks)
    guides: list[Matcher] = field(default_factory=list)


def open_call(
    request: Request,
    drafters: Sequence[RowDrafter],
    threads: MaskThreads,
    *,
    is_ragged: bool,
    generator: torch.Generator | None = None,
) -> Call:
    """Open a call with a row per prompt.

    drafters: one per row. threads: fill the masks of its guards. is_ragged: see `Request.is_ragged`.
    generator: of the draws of a single row, by default the process's.
    """
    ids, stops = request.input_ids, request.stops
    do_sample = bool(request.config.do_sample)
    num_returned = request.config.num_return_sequences or 1
    matchers = [matchers_of(each, ids, stops.eos_tokens, num_returned) for each in request.processors]
    call = Call(
        ids,
        Processors(request.processors, [own is not None for own in matchers]),
        stops,
        ScoreRecord(request.config),
        do_sample=do_sample,
        pad_token=_pad_token(request),
        is_ragged=is_ragged,
        stream=request.stream,
        threads=threads,
    )
    guards = [own for own in matchers if own is not None]
    num_tokens = vocabulary(request.model)
    choices = [
        RowChoice(
            picker,
            RowMasks([own[index] for own in guards]),
            guides_of(request.processors, index, num_tokens, stops.eos_tokens),
        )
        for index, picker in enumerate(pickers(len(ids), ids.device, generator, do_sample=do_sample))
    ]
    open_rows(request, call, drafters, choices)
    return call


def open_rows(request: Request, call: Call, drafters: Sequence[RowDrafter], choices: Sequence[RowChoice]) -> None:
    """Give `call` a row per prompt. drafters, choices: one per row."""
    length, stops = request.input_ids.shape[1], call.stops
    prompts = request.input_ids.cpu().numpy().astype(np.int32)
    positions = request.position_ids.cpu().numpy()
    first_slot, cached = request.num_slots - length, request.cache.length
    real = np.ones(prompts.shape, bool) if request.mask is None else request.mask.cpu().numpy()[:, -length:] != 0
    limit, num_tokens = max_drafted_position(request.model) or NO_LIMIT, vocabulary(request.model)
    for index, (own, choice) in enumerate(zip(drafters, choices, strict=True)):
        read = [reference[index] for reference in request.references]  # by an encoder
        references = [*own.references, *read]
        session = own.drafter.open(own.segment, references)
        prompt = prompts[index][real[index]]
        session.extend(prompt)
        held = [*choice.masks.matchers, *choice.guides]
        row = ModelRow(
            session,
            prompts[index][cached - first_slot if cached else 0 :].tolist(),
            stops.max_length - length,
            Counters(requests=1),
            RowSteering(held, [*references, prompt], stops.first_eos) if held else None,
            call,
            # Drafts of unequal lengths would shift prompts against each other. The model could not mask them as in
            # plain decoding, and a mask per query of a long prompt costs more than a draft gains. Also, models with
            # untried parts passed their trial after a prompt, not within its pass.
            drafts_with_prompt=len(prompts) == 1 and call.is_ragged and not request.has_strangers,
            num_cached=cached,
            index=index,
            pad_token=call.pad_token,
            positions=positions[index],
            max_position=limit,
            # An aligned row may be ahead by REACH; one token is the last chosen one.
            most_drafted=NO_LIMIT if request.tried_width is None else request.tried_width - 1 - REACH,
            vocabulary=num_tokens,
            stops=stops,
            picker=choice.picker,
            masks=choice.masks,
            guides=choice.guides,
        )
        call.rows.append(row)


def _pad_token(request: Request) -> int:
    pad = seam.pad_token_of(request.config)
    if pad is not None:
        return pad
    batch = len(request.input_ids)
    if batch > 1 and request.stops.pads_finished_rows:
        raise PromptError(
            f"a batch needs a pad token to fill up finished rows, got pad_token_id=None for {batch} rows:"
            " pass pad_token_id"
        )
    return 0  # a single row, or rows that all end together, are never padded
