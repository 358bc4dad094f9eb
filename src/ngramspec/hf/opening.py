"""The rows of a call, opened: each with its session, its prompt and its positions."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting import Drafter, TokenArray
from ngramspec.hf.refusals import max_drafted_position, vocabulary
from ngramspec.hf.request import Request
from ngramspec.hf.rows import Row
from ngramspec.stats import Counters

NO_LIMIT = 2**62


def open_rows(
    request: Request,
    drafters: Sequence[Drafter],
    segments: Sequence[str | None],
    references: Sequence[TokenArray],
    pad_token: int,
    most_drafted: int = NO_LIMIT,
) -> list[Row]:
    """A row per prompt; arguments as in `loop.decode`. pad_token: what finished rows are fed. most_drafted: tokens."""
    length = request.input_ids.shape[1]
    prompts = request.input_ids.cpu().numpy().astype(np.int32)
    positions = request.position_ids.cpu().numpy()
    first_slot, cached = request.num_slots - length, request.cache.length
    real = np.ones(prompts.shape, bool) if request.mask is None else request.mask.cpu().numpy()[:, -length:] != 0
    max_length = request.stops.max_length
    limit, num_tokens = max_drafted_position(request.model) or NO_LIMIT, vocabulary(request.model)
    rows = []
    for index in range(len(prompts)):
        read = [reference[index] for reference in request.references]  # by an encoder
        session = drafters[index].open(segments[index], [*references, *read])
        prompt = prompts[index][real[index]]
        session.extend(prompt)
        rows.append(
            Row(
                session,
                prompts[index][cached - first_slot if cached else 0 :],
                max_length - length,
                Counters(requests=1),
                index=index,
                pad_token=pad_token,
                positions=positions[index],
                max_position=limit,
                most_drafted=most_drafted,
                vocabulary=num_tokens,
                num_cached=cached,
                texts=[*references, *read, prompt],
            )
        )
    return rows
