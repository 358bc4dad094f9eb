"""A whole call: rows opened, stepped until all have finished, and counted."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from torch import Tensor

from ngramspec.decoding import Budget, Clock, Costs, InStepBudget, PromptBudget, step
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import Drafter, TokenArray
from ngramspec.errors import PromptError
from ngramspec.hf import seam
from ngramspec.hf.adopting import guides_of
from ngramspec.hf.aligned import REACH, AlignedTarget
from ngramspec.hf.call import Call
from ngramspec.hf.choosing import InStep, chooser_for
from ngramspec.hf.guarding import with_masking, with_processors
from ngramspec.hf.opening import NO_LIMIT, open_rows
from ngramspec.hf.output import Output, output_of
from ngramspec.hf.ragged import RaggedTarget
from ngramspec.hf.record import Record
from ngramspec.hf.request import Request
from ngramspec.hf.sampling import Picker
from ngramspec.hf.seam import StoppingCriteriaList
from ngramspec.hf.stopping import Stops
from ngramspec.hf.support import why_aligned
from ngramspec.hf.tensor_parallel import agreed
from ngramspec.hf.text import Text
from ngramspec.hf.trial import Trial
from ngramspec.stats import Counters, Undrafted


def decode(
    request: Request,
    drafters: Sequence[Drafter],
    budget: Budget,
    costs: Costs,
    segments: Sequence[str | None],
    references: Sequence[TokenArray],
    clock: Clock,
) -> tuple[Output, list[Counters]]:
    """What plain `generate()` returns, in fewer passes; and counts, one per row.

    drafters, segments: one per row. costs: what passes of this model cost; learns from those that are made.
    references: texts that every row may copy from. clock: times the passes, in seconds.
    """
    ids = request.input_ids
    stops = request.stops
    text = Text(ids, stops.max_length, _pad_token(request, stops), request.stream)
    picker = Picker(do_sample=bool(request.config.do_sample), num_rows=len(ids), device=ids.device)
    record = Record(request.config)
    num_returned = request.config.num_return_sequences or 1
    processors, guards = with_masking(request.processors, ids, stops.eos_tokens, num_returned)
    chooser = chooser_for(Call(text, processors, picker, stops, record, guards))
    is_ragged = why_aligned(request.model, request.given_inputs) is None
    target = RaggedTarget(request, chooser) if is_ragged else AlignedTarget(request, text, chooser)
    # A row in line may be ahead by REACH; one token is the last chosen.
    most_drafted = NO_LIMIT if request.tried_width is None else request.tried_width - 1 - REACH
    rows = open_rows(request, drafters, segments, references, text.pad_token, most_drafted)
    for row in rows:
        row.guards, row.guides = guards, guides_of(request, row.index)
        matchers = row.matchers()
        if matchers:
            row.steering = RowSteering(matchers, row.texts, stops.first_eos)
    budget = agreed(budget, request.model)
    in_step = isinstance(chooser, InStep)
    if in_step:
        budget = InStepBudget(budget)
    with guards:
        if len(rows) > 1 or not is_ragged or request.has_strangers:
            # Drafts of unequal lengths would push prompts out of line: the model could not mask them as it does in
            # plain decoding, and a mask of its own for each query of a long prompt costs more than a draft brings. And
            # models with strangers were tried after a prompt, not within its pass.
            step(target, rows, PromptBudget(), costs, clock)
        while not all(row.finished for row in rows):
            live = rows if in_step else target.in_reach([row for row in rows if not row.finished])
            step(target, live, budget, costs, clock)
    sequences = text.output()
    guards.raise_failed(sequences)
    if request.keeps_cache:
        num_slots = request.num_slots + sequences.shape[1] - ids.shape[1] - 1
        request.cache.take(target.finish(rows, num_slots), num_slots)
    return output_of(request, sequences, record), [row.counters for row in rows]


def decode_plainly(request: Request, trial: Trial | None = None) -> tuple[Output, list[Counters]]:
    """As `decode`, in transformers' own loop: for models whose state cannot take a step back.

    trial: watches, and then has the model read the same text as a block.
    """
    criteria = _NotesEnds(request.criteria)
    processors = with_processors(request.processors, sorted(request.stops.eos_tokens))
    with nullcontext(processors) if trial is None else trial.watching(processors) as watched:
        output = seam.decode_plainly(
            request.model, request.input_ids, watched, criteria, request.config, request.stream, request.model_kwargs
        )
    sequences = output if isinstance(output, Tensor) else output.sequences
    longest, pads = sequences.shape[1], request.stops.pads_finished_rows
    counts = []
    for row in range(len(sequences)):
        length = (criteria.ends.get(row, longest) if pads else longest) - request.input_ids.shape[1]
        undrafted = {Undrafted.PLAIN: length} if length else {}
        counts.append(Counters(requests=1, tokens=length, target_passes=length, num_undrafted_per_reason=undrafted))
    if trial is not None:
        trial.read_again(sequences, [row.tokens for row in counts])
    return output, counts


class _NotesEnds(StoppingCriteriaList):
    """The same criteria; remembers by row at which length they first said yes."""

    def __init__(self, criteria: StoppingCriteriaList) -> None:
        super().__init__(criteria)
        self.ends: dict[int, int] = {}

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        done = super().__call__(input_ids, scores, **kwargs)
        for row in done.nonzero().flatten().tolist():
            self.ends.setdefault(row, input_ids.shape[1])
        return done


def _pad_token(request: Request, stops: Stops) -> int:
    pad = seam.pad_token_of(request.config)
    if pad is not None:
        return pad
    batch = len(request.input_ids)
    if batch > 1 and stops.pads_finished_rows:
        raise PromptError(
            f"a batch needs a pad token to fill up finished rows, got pad_token_id=None for {batch} rows:"
            " pass pad_token_id"
        )
    return 0  # alone, or where all rows end together, nothing is ever padded
