"""An engine that decodes on its own: it knows the texts of its requests, and verifies drafts like a real one."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from ngramspec.decoding.row import common_length
from ngramspec.drafting import AdaptiveLookup, Drafter
from ngramspec.vllm.drafting import Drafting
from ngramspec.vllm.trouble import Trouble

VOCABULARY = 1000


def ticking(seconds: float = 1e-6) -> Iterator[float]:
    """A clock by which nothing takes long."""
    return (tick * seconds for tick in count())


def drafting_of(drafter: Drafter | None = None, max_draft_tokens: int = 8, vocabulary: int = VOCABULARY) -> Drafting:
    clock = ticking()
    return Drafting(
        AdaptiveLookup() if drafter is None else drafter,
        Trouble(),
        max_draft_tokens=max_draft_tokens,
        vocabulary=vocabulary,
        clock=lambda: next(clock),
    )


def decode(
    drafting: Drafting,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    segment: str | None = None,
    cache_salt: str | None = None,
    seconds: float = 1e-2,
) -> list[list[list[int]]]:
    """Decode `answers` together, pass by pass; returns for each row the drafts that it was offered."""
    done, drafts = {}, {key: list[int]() for key in range(len(prompts))}
    offered: list[list[list[int]]] = [[] for _ in prompts]
    for key, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        row = drafting.open(key, np.array(prompt, np.int32), segment=segment, cache_salt=cache_salt)
        row.read(answer[:1], len(answer) - 1)
        done[key] = 1
    while done:
        keys = list(done)
        for key, draft in zip(keys, drafting.draft(keys), strict=True):
            drafts[key] = draft
            offered[key].append(draft)
        news = {key: answers[key][done[key] :][: 1 + agreeing(drafts[key], answers[key][done[key] :])] for key in keys}
        scheduled = {key: 1 + len(drafts[key]) for key in keys}
        drafting.passed(
            scheduled, {key: drafts[key] for key in keys if drafts[key]}, sum(map(len, news.values())), seconds
        )
        for key, new in news.items():
            done[key] += len(new)
            drafting.rows[key].read(new, len(answers[key]) - done[key])
            if done[key] == len(answers[key]):
                del done[key]
                drafting.close(key)
    return offered


def agreeing(draft: Sequence[int], following: Sequence[int]) -> int:
    return min(common_length(list(draft), list(following)), len(following) - 1)
